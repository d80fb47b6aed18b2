"""The real studio and a real browser: Debian's Chromium without a window, driven by Playwright."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.helpers.program import command

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
#: Nothing is asked of the network, whatever the browser would like to know.
_FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
)  # fmt: skip
_BEGINS_WITHIN_S = 90.0
#: Names a folder for pictures of the pages, as they stand in the documentation.
PICTURES_VARIABLE = "AUTOMMLAB_SCREENSHOTS"
_COLOURS = 128
TOKEN = "a-token-of-the-browser-tests"  # noqa: S105 - opens nothing but the tests' own studio


def chromium() -> str:
    """Where Chromium is; a test is skipped where there is none, and fails in CI."""
    found = next((path for name in _BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        message = f"no Chromium on this machine (one of {', '.join(_BROWSERS)}); apt-get install chromium"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return found


@contextlib.contextmanager
def browser() -> Iterator[Browser]:
    """A browser without a window."""
    path = chromium()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=path, args=list(_FLAGS))
        try:
            yield found
        finally:
            found.close()


class Studio:
    """The real program `autommlab studio` in a process of its own.

    Args:
        home: the program's own folder.
        runs: folder of the runs.
    """

    def __init__(self, home: Path, runs: Path) -> None:
        self.home, self.runs = home, runs
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        words, environment = command(self.home, "studio", self.runs, "--port", self.port)
        environment["AUTOMMLAB_STUDIO_TOKEN"] = TOKEN
        self._process = subprocess.Popen(words, env=environment)
        deadline = time.monotonic() + _BEGINS_WITHIN_S
        while time.monotonic() < deadline:
            with contextlib.suppress(urllib.error.URLError, ConnectionError):
                urllib.request.urlopen(f"{self.url}/static/studio.css", timeout=5).close()  # noqa: S310 - our own address
                return
            assert self._process.poll() is None, "the studio ended"
            time.sleep(0.2)
        raise AssertionError("the studio does not answer")

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """End it; its exit code."""
        assert self._process is not None
        self._process.send_signal(number)
        return self._process.wait(timeout=60)


@contextlib.contextmanager
def studio(home: Path, runs: Path) -> Iterator[Studio]:
    """A studio that ends with the block."""
    found = Studio(home, runs)
    try:
        yield found
    finally:
        found.end(signal.SIGKILL)


def entered(of: Browser, at: Studio, *, width: int = 1100, dark: bool = False) -> Page:
    """A page that is let in; whatever it says on its console is an error."""
    context = of.new_context(
        viewport={"width": width, "height": 800}, color_scheme="dark" if dark else "light", permissions=["camera"]
    )
    page = context.new_page()
    page.set_default_timeout(30_000)
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.complaints = complaints  # type: ignore[attr-defined]
    page.goto(f"{at.url}/?token={TOKEN}")
    assert page.url == f"{at.url}/", "the token is out of the address"
    return page


def picture(page: Page, name: str, *, root: Path | None = None) -> None:
    """Take the picture of a page for the documentation, if that is asked for; few colours keep it small.

    Args:
        page: at its top.
        name: of the picture, `studio-NAME.png`.
        root: folder whose path is shown as "runs", so that no path of a machine gets into the documentation.
    """
    folder = os.environ.get(PICTURES_VARIABLE)
    if not folder:
        return
    import io

    from PIL import Image

    page.evaluate(
        """root => {
          const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
          while (texts.nextNode()) texts.currentNode.data = texts.currentNode.data.replaceAll(root || "\\0", "runs");
        }""",
        str(root or ""),
    )
    page.set_viewport_size({"width": 1000, "height": 720})
    page.evaluate("scrollTo(0, 0)")
    with Image.open(io.BytesIO(page.screenshot())) as taken:
        small = taken.convert("RGB").quantize(_COLOURS, dither=Image.Dither.NONE)
    small.save(Path(folder) / f"studio-{name}.png", optimize=True)
