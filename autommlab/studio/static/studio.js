// What the pages do beside links and forms: parts that refresh, pictures to try, uploads. Texts never become HTML here;
// the parts that are exchanged were escaped by the server.
"use strict";

const POLL_MS = 2000;

/** For those who hear the page: once for each change. */
function say(words) {
  const said = document.getElementById("said");
  if (words && said.dataset.last !== words) {
    if (said.dataset.last !== undefined) said.textContent = words;
    said.dataset.last = words;
  }
}

/** Exchange a part of the page for its newest state; the page is loaded anew where the state of what it shows changed. */
async function refresh(part) {
  const shown = part.innerHTML;
  let text;
  try {
    const answer = await fetch(part.dataset.live, { headers: { accept: "text/html" } });
    if (answer.status === 401) { location.reload(); return; }
    if (!answer.ok) return;
    text = await answer.text();
  } catch { return; } // the studio is being restarted: the next round finds it again
  const fresh = new DOMParser().parseFromString(text, "text/html").body;
  const state = (root) => root.querySelector("[data-state]")?.dataset.state;
  if (state(fresh) !== state(part)) { location.reload(); return; }
  say(fresh.querySelector("[data-say]")?.dataset.say);
  // Whoever has the keyboard in it, or has opened a part of it, keeps what they look at.
  const busy = part.contains(document.activeElement) || part.querySelector("details[open]");
  if (!busy && fresh.innerHTML.trim() !== shown.trim()) part.replaceChildren(...fresh.childNodes);
}

function keepFresh(part) {
  const round = async () => {
    if (!document.hidden) await refresh(part);
    setTimeout(round, POLL_MS);
  };
  setTimeout(round, POLL_MS);
}

document.querySelectorAll("[data-live]").forEach(keepFresh);
