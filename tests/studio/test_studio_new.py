"""A new run up to its plan: what is uncertain is marked, wrong values are told beside their field, words stay words."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.testclient import TestClient

from autommlab.studio import drafts
from autommlab.studio.app import make_app
from autommlab.studio.drafts import UNCLEAR, UNDERSTOOD, Draft, DraftFolder, Options
from autommlab.studio.settings import StudioSettings
from autommlab.understanding.outcome import Doubt, Effort, Unclear, Understood
from autommlab.understanding.request import ModelRequest
from tests.helpers.report_records import SENTENCE, request

EFFORT = Effort(model="ru-llama", tuned=True, calls=1, prompt_tokens=100, tokens=50, seconds=2.0)


@pytest.fixture
def errands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Words of what would be started; nothing is."""
    found: list[list[str]] = []
    monkeypatch.setenv("AUTOMMLAB_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(drafts, "start_errand", lambda _folder, words: found.append(list(words)))
    return found


@pytest.fixture
def studio(tmp_path: Path, errands: list[list[str]]) -> TestClient:
    return TestClient(make_app(StudioSettings(runs=tmp_path / "runs")), base_url="http://127.0.0.1")


def begun(studio: TestClient, how: str = "form", text: str = SENTENCE) -> DraftFolder:
    answer = studio.post("/new", data={"text": text, "how": how, "data": "openmoji-objects"})
    assert answer.status_code == 200, answer.text
    folder = DraftFolder.named(answer.url.path.rpartition("/")[2])
    assert folder is not None
    return folder


def test_a_form_becomes_a_request_and_a_command_line(studio: TestClient, errands: list[list[str]]) -> None:
    folder = begun(studio)
    form = {"task": "detection", "object": "train, bus", "metric": "mAP 0.5", "parameters": "10 M", "engine": "",
            "trials": "3", "searcher": "surrogate-grid", "data": "x --out=/elsewhere"}  # fmt: skip
    answer = studio.post(f"/new/{folder.name}/form", data=form)
    assert answer.url.path == f"/new/{folder.name}/plan"
    made = folder.request
    assert made is not None
    assert made.data.object == ("train", "bus")
    assert made.model.parameters.millions() == 10
    assert "I will train a detector of train and bus" in answer.text
    (words,) = errands
    assert words[2:6] == ["autommlab", "run", "--dry-run", "--json"]
    assert words[-2:] == ["--", SENTENCE]
    assert {"--trials=3", "--searcher=surrogate-grid", "--data=x --out=/elsewhere"} <= set(words)


def test_wrong_values_are_told_beside_their_fields_and_nothing_is_planned(
    studio: TestClient, errands: list[list[str]]
) -> None:
    folder = begun(studio)
    answer = studio.post(f"/new/{folder.name}/form", data={"parameters": "ten", "metric": "good", "object": "cat"})
    assert answer.status_code == 400
    assert "2 fields need another value" in answer.text
    assert 'value="ten"' in answer.text
    assert answer.text.count('aria-invalid="true"') == 2
    assert 'aria-describedby="parameters-problem"' in answer.text
    assert errands == []


def test_what_is_uncertain_is_marked_and_texts_stay_texts(studio: TestClient) -> None:
    folder = begun(studio, "read")
    doubt = Doubt(field="object", says="'<b>bus</b>' is not in the text", choices=("tram", "<i>train</i>"))
    understood = Understood(
        text=SENTENCE, request=request(), effort=EFFORT, notes=("a <u>note</u>",), doubts=(doubt,), unused=("30 fps",)
    )
    folder.write_record(UNDERSTOOD, understood)
    text = studio.get(f"/new/{folder.name}").text
    assert text.count("uncertain</span>") == 1
    assert 'list="object-choices" aria-describedby="object-doubt"' in text
    assert "&#39;&lt;b&gt;bus&lt;/b&gt;&#39; is not in the text" in text
    assert '<option value="&lt;i&gt;train&lt;/i&gt;">' in text
    assert "Not used of your text: 30 fps" in text
    assert "a &lt;u&gt;note" in text
    assert 'value="mAP 0.5"' in text
    for markup in ("<script>alert", "<b>bus", "<i>train", "<u>note"):
        assert markup not in text


def test_a_question_is_answered_in_place(studio: TestClient, errands: list[list[str]]) -> None:
    folder = begun(studio, "read", "something with cats")
    assert errands[0][2:4] == ["autommlab.studio.reading", str(folder.path)]
    unclear = Unclear(text="x", missing=("task",), question="Which task is it?", effort=EFFORT)
    folder.write_record(UNCLEAR, unclear)
    page = studio.get(f"/new/{folder.name}").text
    assert "Which task is it?" in page
    assert 'label for="answer"' in page
    studio.post(f"/new/{folder.name}/answer", data={"answer": "task: detection"})
    assert folder.draft.answers == ("task: detection",)
    assert folder.unclear is None
    assert len(errands) == 2


def test_the_answers_reach_understanding(studio: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    from autommlab.studio import reading

    folder = begun(studio, "read", "something with cats")
    folder.write(Draft(text="something with cats", answers=("task: detection",)))
    asked = []

    def understand(text: str, *, lent: reading.Lent, **_: object) -> Understood:
        assert lent.ask is not None
        asked.extend([text, lent.ask("Which task?"), lent.ask("And now?")])
        return Understood(text=text, request=request(), effort=EFFORT)

    monkeypatch.setattr(reading, "understand", understand)
    assert reading.main(str(folder.path)) == 0
    assert asked == ["something with cats", "task: detection", ""]
    assert folder.understood is not None


def test_a_run_is_started_once(studio: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[tuple[Path, list[str], str, str | None]] = []
    monkeypatch.setattr("autommlab.studio.new_pages.start_run", lambda *given: started.append(given))
    folder = begun(studio)
    studio.post(f"/new/{folder.name}/start")
    assert started == [], "there is no request yet"
    folder.write_record("request.json", request())
    for _ in range(2):
        answer = studio.post(f"/new/{folder.name}/start", follow_redirects=False)
    ((run, words, text, address),) = started
    assert address is None
    assert run.parent == tmp_path / "runs"
    assert words[0] == f"--parse={folder.path / 'request.json'}"
    assert text == SENTENCE
    assert answer.headers["location"].startswith("/runs/2")
    assert ModelRequest.read(folder.path / "request.json") == request()


@pytest.mark.parametrize("name", ["x", "../../token", "20261130-223102-69cc03fd", "%2e%2e"])
def test_there_are_no_other_requests(studio: TestClient, name: str) -> None:
    assert studio.get(f"/new/{name}").status_code == 404


def test_options_are_single_words() -> None:
    assert Options(data="a b", input_size="32", trials="").words() == ["--data=a b", "--input-size=32"]


@pytest.mark.parametrize("data", [{}, {"text": "  "}, {"text": "x" * 4001}])
def test_no_request_is_told(studio: TestClient, data: dict[str, str]) -> None:
    assert studio.post("/new", data=data).status_code in (400, 422)
