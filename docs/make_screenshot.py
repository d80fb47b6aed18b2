"""Takes the pictures of the report that the README and the documentation show, from a real run folder.

`python docs/make_screenshot.py RUN_FOLDER` needs Chromium, a package of most Linux distributions. The folder's path is
shown as that of the README's main command, so that no path of a machine gets into the pictures.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

SHOWN_AS = "runs/animals"
IMAGES = Path(__file__).with_name("images")
_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
#: Width of the window, height of the page's part that is kept, in pixels of the page.
_SHOTS = {"report.png": (1120, 720)}
_SCALE = 1.25
_COLOURS = 128


def shoot(browser: str, report: Path, out: Path, size: tuple[int, int]) -> None:
    """One picture of the top of the page, with few colours to keep the repository small."""
    with tempfile.TemporaryDirectory(prefix="autommlab-shot-") as scratch:
        raw = Path(scratch) / "raw.png"
        command = [
            browser, "--headless", "--no-sandbox", "--hide-scrollbars", "--disable-gpu",
            f"--user-data-dir={scratch}/profile", f"--force-device-scale-factor={_SCALE}",
            f"--window-size={size[0]},{size[1]}", f"--screenshot={raw}", report.as_uri(),
        ]  # fmt: skip
        subprocess.run(command, check=True, capture_output=True, timeout=120)  # noqa: S603 - our own arguments
        with Image.open(raw) as image:
            small = image.convert("RGB").quantize(_COLOURS, dither=Image.Dither.NONE)
        small.save(out, optimize=True)


def main() -> None:
    """Take the pictures of the run folder that the command line names."""
    browser = next((found for name in _BROWSERS if (found := shutil.which(name))), None)
    if browser is None or len(sys.argv) != 2:
        sys.exit(f"usage: python docs/make_screenshot.py RUN_FOLDER (needs one of {', '.join(_BROWSERS)})")
    report = Path(sys.argv[1]).resolve() / "report.html"
    if not report.is_file():
        sys.exit(f"{report} is not there; finish a run first")
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="autommlab-shot-") as scratch:
        page = Path(scratch) / "report.html"
        html = report.read_text(encoding="utf-8").replace(str(report.parent), SHOWN_AS)
        page.write_text(html.replace(' loading="lazy"', ""), encoding="utf-8")
        for name, size in _SHOTS.items():
            shoot(browser, page, IMAGES / name, size)
            print(f"wrote {IMAGES / name}")


if __name__ == "__main__":
    main()
