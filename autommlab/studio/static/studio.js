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

/** Files of a drop, folders with all that is in them: [path, file] each. */
async function dropped(items) {
  const found = [];
  async function walk(entry, path) {
    if (entry.isFile) {
      found.push([path + entry.name, await new Promise((done, failed) => entry.file(done, failed))]);
      return;
    }
    const reader = entry.createReader();
    for (;;) { // a reader gives a hundred entries at a time
      const some = await new Promise((done, failed) => reader.readEntries(done, failed));
      if (!some.length) return;
      for (const each of some) await walk(each, `${path}${entry.name}/`);
    }
  }
  for (const entry of [...items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean)) await walk(entry, "");
  return found;
}

function uploads(form) {
  const told = form.querySelector("[data-told]"), bar = form.querySelector("progress");
  const button = form.querySelector("button");
  const name = form.elements.name, [zip, folder] = form.querySelectorAll("input[type=file]");
  let waiting = []; // what was dropped

  async function ask(method, url, body) {
    const answer = await fetch(url, { method, body });
    const type = answer.headers.get("content-type") ?? "";
    const content = type.includes("json") ? await answer.json() : { problem: await answer.text() };
    if (!answer.ok) throw new Error(content.problem ?? `The studio answered ${answer.status}.`);
    return content;
  }

  async function send() {
    const picked = [...zip.files].map((file) => [file.name, file]);
    for (const file of folder.files) picked.push([file.webkitRelativePath || file.name, file]);
    // Hidden files are what systems leave behind.
    const files = (picked.length ? picked : waiting).filter(([path]) => !path.split("/").some((part) => part.startsWith(".")));
    if (!files.length) { told.textContent = "Choose a zip or a folder, or drop one here."; return; }
    const query = new URLSearchParams({ name: name.value, task: form.elements.task.value });
    const { id } = await ask("POST", `/data/upload/new?${query}`, "");
    bar.hidden = false;
    for (const [number, [path, file]] of files.entries()) {
      told.textContent = `Sending file ${number + 1} of ${files.length}`;
      await ask("PUT", `/data/upload/${id}/file?${new URLSearchParams({ path })}`, file);
      bar.value = (number + 1) / files.length;
    }
    location.href = (await ask("POST", `/data/upload/${id}/done?${query}`, "")).next;
  }

  button.disabled = false; // before this script, the form would have been sent without its files
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    try { await send(); } catch (error) { told.textContent = error.message; } finally { button.disabled = false; }
  });
  dropZone(form, async (items) => {
    waiting = await dropped(items);
    const first = waiting[0]?.[0].split("/")[0] ?? "";
    if (!name.value) name.value = first.replace(/\.zip$/i, "");
    told.textContent = waiting.length === 1 ? `${first} is chosen.` : `${first}: ${waiting.length} files are chosen.`;
  });
}

function dropZone(zone, take) {
  zone.addEventListener("dragover", (event) => { event.preventDefault(); zone.classList.add("over"); });
  zone.addEventListener("dragleave", () => zone.classList.remove("over"));
  zone.addEventListener("drop", (event) => {
    event.preventDefault();
    zone.classList.remove("over");
    take(event.dataTransfer.items, event.dataTransfer.files);
  });
}

document.querySelectorAll("form[data-upload]").forEach(uploads);

function tryModel(zone) {
  const told = zone.querySelector("[data-told]"), drawn = zone.querySelector("[data-drawn]");
  const rows = zone.querySelector("[data-rows]"), picker = zone.querySelector("input[type=file]");
  const slider = zone.querySelector("input[type=range]"), output = zone.querySelector("output");
  const camera = zone.querySelector("[data-camera]"), shoot = zone.querySelector("[data-shoot]"), video = zone.querySelector("video");
  let picture = null, asked = 0;

  async function predict() {
    if (!picture) return;
    const number = ++asked;
    told.textContent = "The model looks at it …";
    const query = slider ? `?${new URLSearchParams({ threshold: slider.value })}` : "";
    try {
      const answer = await fetch(zone.dataset.try + query, { method: "POST", body: picture });
      const isJson = (answer.headers.get("content-type") ?? "").includes("json");
      const found = isJson ? await answer.json() : { problem: await answer.text() };
      if (number !== asked) return; // the slider has moved on
      told.textContent = found.problem ?? found.words;
      drawn.hidden = rows.hidden = !answer.ok;
      if (!answer.ok) return;
      drawn.src = found.drawn;
      drawn.alt = `Your picture with the prediction: ${found.words}`;
      rows.tBodies[0].replaceChildren(...found.rows.map(([name, score]) => {
        const row = document.createElement("tr");
        row.insertCell().textContent = name;
        row.insertCell().textContent = score;
        return row;
      }));
    } catch { if (number === asked) told.textContent = "The studio does not answer. Is it still running?"; }
  }
  function take(file) {
    if (file) { picture = file; predict(); }
  }

  picker.addEventListener("change", () => take(picker.files[0]));
  take(picker.files[0]); // it may have been chosen before this script was there
  const given = (files) => {
    picker.value = ""; // the file that was chosen before can be chosen again
    take(files[0]);
  };
  dropZone(zone, (_, files) => given(files));
  document.addEventListener("paste", (event) => given(event.clipboardData.files));
  slider?.addEventListener("input", () => { output.textContent = Number(slider.value).toFixed(2); });
  slider?.addEventListener("change", predict);

  camera.disabled = false;
  camera.addEventListener("click", async () => {
    try {
      video.srcObject = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
      video.hidden = shoot.hidden = false;
      await video.play();
      shoot.focus();
    } catch (error) { told.textContent = `The camera cannot be used: ${error.message}`; }
  });
  shoot.addEventListener("click", () => {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
    canvas.getContext("2d").drawImage(video, 0, 0);
    for (const track of video.srcObject.getTracks()) track.stop();
    video.hidden = shoot.hidden = true;
    canvas.toBlob(take, "image/png");
    camera.focus();
  });
}

document.querySelectorAll("[data-try]").forEach(tryModel);
