"""The pages in a real browser: reached by keyboard and by screen readers, dark and narrow, and nothing runs in them."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from autommlab.studio.drafts import UNDERSTOOD, Draft, DraftFolder
from autommlab.understanding.outcome import Doubt, Effort, Understood
from tests.helpers.compare_making import make_comparison
from tests.helpers.report_records import request
from tests.helpers.run_making import make_run
from tests.helpers.studio_browser import Studio, browser, entered, picture, studio
from tests.helpers.tiny_bundles import make_picture

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Route

pytestmark = pytest.mark.slow

PAGES = ("/", "/runs/trains", "/runs/half", "/new", "/data", "/data/set/openmoji-objects", "/try/trains", "/compare",
         "/compare?run=trains&run=half", "/compare/searchers")  # fmt: skip
#: Of a page: form fields without a name for screen readers, images without a text, ids that stand twice.
_UNNAMED = """() => {
  const fields = [...document.querySelectorAll("input:not([type=hidden]), select, textarea, button, a, iframe, video")];
  const named = (f) => f.labels?.length || f.textContent.trim() || f.ariaLabel || f.title;
  const bare = fields.filter((f) => !f.hidden && !named(f));
  const images = [...document.images].filter((i) => !i.hidden && !i.alt);
  const ids = [...document.querySelectorAll("[id]")].map((e) => e.id);
  return [...bare, ...images].map((e) => e.outerHTML).concat(ids.filter((id, n) => ids.indexOf(id) !== n));
}"""


@pytest.fixture(scope="module")
def chrome() -> Iterator[Browser]:
    with browser() as found:
        yield found


@pytest.fixture(scope="module")
def at(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """A studio of a finished run, an interrupted one and a comparison."""
    root = tmp_path_factory.mktemp("runs")
    evil = "<script>window.evil = 1</script><img src=x onerror='window.evil = 2'>"
    make_run(root / "trains", "Detect trains and buses, mAP over 0.5, with OpenVINO")
    make_run(root / "buses", "Detect trains and buses, mAP over 0.6", finished=False)
    make_run(root / "half", evil, finished=False)
    make_comparison(root / "searchers")
    report = root / "trains" / "report.html"
    report.write_text(report.read_text().replace("</body>", "<script>parent.evil = 3; top.evil = 4</script></body>"))
    with studio(home, root) as found:
        yield found


@pytest.fixture
def page(chrome: Browser, at: Studio) -> Iterator[Page]:
    found = entered(chrome, at)
    yield found
    found.context.close()


@pytest.mark.parametrize(("width", "dark"), [(1100, False), (360, True)])
def test_every_page_fits_is_named_and_says_nothing_on_its_console(
    chrome: Browser, at: Studio, width: int, dark: bool
) -> None:
    page = entered(chrome, at, width=width, dark=dark)
    for path in PAGES:
        page.goto(at.url + path)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
        assert page.evaluate(_UNNAMED) == [], path
        assert page.locator("h1").count() == 1, path
        assert page.locator("[aria-current=page]").count() <= 1, path
        background = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (sum(map(int, background[4:-1].split(","))) < 200) is dark, background
    page.wait_for_timeout(300)
    expected = "Blocked script execution in"  # of the report, which is shut in
    assert [said for said in page.complaints if expected not in said] == []  # type: ignore[attr-defined]
    page.context.close()


def test_texts_and_reports_run_nothing(page: Page, at: Studio) -> None:
    for path in ("/", "/runs/half", "/compare?run=half&run=trains"):
        page.goto(at.url + path)
        assert page.get_by_text("<script>window.evil = 1</script>").first.is_visible()
        assert page.evaluate("window.evil") is None
    page.goto(f"{at.url}/runs/trains")
    frame = page.frame_locator("iframe.report")
    frame.get_by_text("Every demand is met").wait_for()
    assert page.evaluate("window.evil") is None
    page.goto(f"{at.url}/report/trains")
    assert page.evaluate("window.evil") is None
    assert page.evaluate("origin") == "null"


def test_what_is_uncertain_is_marked_and_can_be_changed(
    page: Page, at: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUTOMMLAB_HOME", str(at.home))
    text = "Find trains and busses on rails, mAP over 0.5, 10 million parameters, with OpenVINO, in 2 weeks"
    folder = DraftFolder.create(Draft(text=text))
    doubt = Doubt(field="object", says='"busses" was read as "bus"', choices=("train, tram", "train"))
    effort = Effort(model="ru-llama", tuned=True, calls=1, prompt_tokens=212, tokens=121, seconds=4.2)
    folder.write_record(
        UNDERSTOOD,
        Understood(text=text, request=request(), effort=effort, doubts=(doubt,), unused=("2 weeks",)),
    )
    page.goto(f"{at.url}/new/{folder.name}")
    assert page.get_by_text("I will train a detector of train and bus").is_visible()
    assert page.get_by_text("Not used of your text: 2 weeks").is_visible()
    objects = page.get_by_role("combobox", name="Objects uncertain")
    assert '"busses" was read as "bus"' in objects.evaluate("e => e.ariaDescribedByElements[0].textContent")
    assert objects.evaluate("e => [...e.list.options].map((o) => o.value)") == ["train, tram", "train"]
    picture(page, "form")


def test_it_is_used_by_keyboard_alone(page: Page, at: Studio) -> None:
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.goto(f"{at.url}/new")
    assert page.evaluate("document.activeElement.id") == "text"
    page.keyboard.type("tell cats and dogs apart")
    for _ in range(4):  # data set, the link to add one, "Understand it", the form
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**/new/2*")
    page.get_by_role("textbox", name="Parameters").fill("ten")
    page.keyboard.press("Enter")
    page.get_by_role("alert").get_by_text("no amount with a unit").wait_for()
    assert page.get_by_role("textbox", name="Parameters").get_attribute("aria-invalid") == "true"
    assert page.get_by_role("textbox", name="Parameters").input_value() == "ten"


def test_a_picture_is_chosen_pasted_dropped_and_taken(page: Page, at: Studio, tmp_path: Path) -> None:
    file = make_picture(tmp_path / "picture.png", (64, 48))
    page.goto(f"{at.url}/try/trains")
    told, drawn = page.locator("[data-told]"), page.locator("[data-drawn]")
    page.get_by_label("A picture of yours").set_input_files(file)
    told.get_by_text("1 red, 1 blue").wait_for()
    assert drawn.get_attribute("alt") == "Your picture with the prediction: 1 red, 1 blue"
    assert drawn.evaluate("image => image.decode().then(() => image.naturalWidth)") >= 320
    page.get_by_label("Lowest score").fill("0.85")
    told.get_by_text("1 red", exact=True).wait_for()
    assert page.locator("[data-rows] tbody tr").all_inner_texts() == ["red\t90.0%"]
    page.get_by_label("Lowest score").fill("0.95")
    told.get_by_text("nothing found").wait_for()
    page.get_by_label("Lowest score").fill("0.3")
    for event in ("paste", "drop"):
        (tmp_path / "text.txt").write_text("no picture")
        page.get_by_label("A picture of yours").set_input_files(tmp_path / "text.txt")
        told.get_by_text("is not an image").wait_for()
        assert drawn.is_hidden()
        _give(page, event, file.read_bytes())
        told.get_by_text("1 red, 1 blue").wait_for()
    page.get_by_role("button", name="Use the camera").click()
    page.get_by_role("button", name="Take the picture").click()
    page.get_by_role("button", name="Take the picture").wait_for(state="hidden")
    told.get_by_text("1 red, 1 blue").wait_for()


def test_what_is_done_before_the_script_is_there_is_not_lost(page: Page, at: Studio, tmp_path: Path) -> None:
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/static/studio.js", hold)
    page.goto(f"{at.url}/try/trains", wait_until="commit")
    assert page.get_by_role("button", name="Use the camera").is_disabled()
    page.get_by_label("A picture of yours").set_input_files(make_picture(tmp_path / "picture.png", (64, 48)))
    held.pop().continue_()
    page.locator("[data-told]").get_by_text("1 red, 1 blue").wait_for()
    page.goto(f"{at.url}/data", wait_until="commit")
    send = page.get_by_role("button", name="Send it")
    assert send.is_disabled()
    held.pop().continue_()
    send.and_(page.locator(":enabled")).wait_for()


def _give(page: Page, event: str, content: bytes) -> None:
    """Paste or drop a picture."""
    page.evaluate(
        """([kind, bytes]) => {
          const data = new DataTransfer();
          data.items.add(new File([new Uint8Array(bytes)], "picture.png", { type: "image/png" }));
          const init = { bubbles: true, cancelable: true };
          const event = kind === "paste" ? new ClipboardEvent(kind, { ...init, clipboardData: data })
            : new DragEvent(kind, { ...init, dataTransfer: data });
          document.querySelector("[data-try]").dispatchEvent(event);
        }""",
        [event, list(content)],
    )


def test_runs_and_searchers_are_compared(page: Page, at: Studio) -> None:
    page.goto(f"{at.url}/compare")
    for name in ("trains", "buses"):
        page.locator(f"input[value={name}]").check()
    page.get_by_role("button", name="Compare them").click()
    assert page.get_by_role("row", name="Trials").all_inner_texts() == ["Trials\t4 of 8\t8 of 8"], "the newest first"
    assert page.locator("svg.plot").count() == 1
    picture(page, "compare")
    page.goto(f"{at.url}/compare/searchers")
    assert page.get_by_text("5 of 6 studies are finished").is_visible()
    assert page.get_by_role("row", name="tpe").is_visible()
    assert page.get_by_text("tpe, seed 2: 0 of 8 trials").is_visible()


def test_the_bundle_is_taken_away(page: Page, at: Studio) -> None:
    import zipfile

    page.goto(f"{at.url}/runs/trains")
    with page.expect_download() as started:
        page.get_by_role("link", name="Download the bundle").click()
    assert started.value.suggested_filename == "trains-bundle.zip"
    content = Path(started.value.path()).read_bytes()
    assert "bundle/bundle.json" in zipfile.ZipFile(io.BytesIO(content)).namelist()
