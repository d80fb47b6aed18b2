"""The report of finished, unfinished and failed runs, made from handmade records."""

import dataclasses
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image

from autommlab.common.errors import StorageError
from autommlab.common.llm_usage import LlmUsage
from autommlab.planning.decide import decide
from autommlab.report import Picture, ReportContent, write_report
from autommlab.report.verdict import verdict
from tests.helpers.plan_making import circumstances
from tests.helpers.report_records import SENTENCE, bag, choice, deployment, failed_trials, request, study, trial, trials

_VOID = {"meta", "img", "br", "link", "input", "hr"}


class Page(HTMLParser):
    """Visible text by section, all attributes, and tags that were not closed in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.sections: dict[str, str] = {}
        self.section = "head"
        self.attributes: list[tuple[str, str, str]] = []
        self.faults: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in _VOID:
            self.open.append(tag)
        if tag == "section":
            self.section = dict(attrs)["id"] or ""

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.faults.append(tag)

    def handle_data(self, data: str) -> None:
        if not {"style", "title"} & set(self.open):
            text = f"{self.sections.get(self.section, '')} {' '.join(data.split())}"
            self.sections[self.section] = " ".join(text.split())


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> ReportContent:
    tmp_path = tmp_path_factory.mktemp("run")
    picture = Picture(Image.new("RGB", (64, 48), "teal"), "2 train", tmp_path / "a <b>.jpg")
    return ReportContent(
        text=SENTENCE,
        request=request(),
        bag=bag(tmp_path),
        sample_images=(picture,),
        choice=choice(),
        study=study(tmp_path),
        deployment=deployment(tmp_path),
        sample_predictions=(picture, dataclasses.replace(picture, right=False)),
        versions={"torch": "2.13.0"},
        command="autommlab run 'a <b>' --trials 8",
        settings={"searcher": "optuna-tpe"},
        stage_seconds={"understanding": 4.0, "training": 312.0},
    )


@pytest.fixture(scope="module")
def finished_page(finished: ReportContent, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Page]:
    html = write_report(finished, tmp_path_factory.mktemp("page") / "report.html").read_text(encoding="utf-8")
    return html, Page(html)


@pytest.fixture
def page(tmp_path: Path) -> Callable[[ReportContent], tuple[str, Page]]:
    def write(content: ReportContent) -> tuple[str, Page]:
        html = write_report(content, tmp_path / "report.html").read_text(encoding="utf-8")
        return html, Page(html)

    return write


Write = Callable[[ReportContent], tuple[str, Page]]


def test_finished_run_shows_its_figures(finished_page: tuple[str, Page]) -> None:
    _, seen = finished_page
    assert "Every demand is met" in seen.sections["head"]
    assert "mAP on test 0.547 measured once" in seen.sections["head"]
    assert "mAP at least 0.5" in seen.sections["request"]
    assert "at least 20 fps" in seen.sections["request"]
    assert "train 520 120 118 openmoji-scenes/train, openmoji-scenes/tram" in seen.sections["data"]
    assert "It is the lightest pretrained detector." in seen.sections["model"]
    assert "218 M parameters, 10 M are allowed" in seen.sections["model"]
    assert "yolox_tiny" in seen.sections["model"]
    assert "AP50 0.830 0.810" in seen.sections["test"]
    assert "measured once on the test split" in seen.sections["test"]
    assert "0.5468 through the bundle, 0.5470 through PyTorch" in seen.sections["deployment"]
    assert "p50 4.13 ms, p95 5.02 ms" in seen.sections["deployment"]
    assert "212 MB" in seen.sections["deployment"]
    assert "parameters at most 10 M 4.9 M holds" in seen.sections["deployment"]
    assert "autommlab predict" in seen.sections["use"]
    assert "optuna-tpe" in seen.sections["environment"]
    assert "training 5 min 12 s" in seen.sections["environment"]


def test_trial_table_has_every_trial_also_failed_ones(finished_page: tuple[str, Page]) -> None:
    html, seen = finished_page
    search = seen.sections["search"]
    for number in range(1, 9):
        assert re.search(rf"\b{number} (none|0\.\d{{3}}) (ok|best|diverged|out-of-memory) ", search), number
    assert "The loss became NaN at iteration 12 <lr too high>." in search
    assert "5 0.561 best AdamW" in search
    assert html.count('class="chosen') == 1


def test_figures_mark_each_trial(finished_page: tuple[str, Page]) -> None:
    html, seen = finished_page
    ids = [value for _, name, value in seen.attributes if name == "id"]
    assert [f"best-trial-{n}" in ids for n in range(1, 9)] == [True] * 8
    assert {f"by-{n}-trial-3" for n in ("lr", "weight_decay", "batch_size", "iterations", "optimizer")} <= set(ids)
    assert sorted(i for i in ids if i.startswith("curves-curve-")) == [f"curves-curve-{n}" for n in (1, 2, 4, 5, 6, 8)]
    assert "trial 3: diverged" in html, "the tip of a mark"
    assert len(ids) == len(set(ids)), "an id must be unique on the page"


def test_page_is_well_formed(finished_page: tuple[str, Page]) -> None:
    _, seen = finished_page
    assert (seen.faults, seen.open) == ([], [])


def test_sentence_is_escaped(finished_page: tuple[str, Page]) -> None:
    html, seen = finished_page
    assert "<script" not in html
    assert SENTENCE in seen.sections["head"]
    assert "autommlab run 'a <b>' --trials 8" in seen.sections["use"]


def test_nothing_comes_from_outside(finished_page: tuple[str, Page]) -> None:
    html, seen = finished_page
    links = [value for _, name, value in seen.attributes if name in ("src", "href", "xlink:href", "action")]
    assert links, "an empty list would prove nothing"
    assert [link for link in links if not link.startswith(("data:image/jpeg;base64,", "#"))] == []
    assert re.search(r"""(src|href)\s*=\s*["']?\s*(https?:)?//""", html) is None
    assert re.search(r"@import|url\(\s*['\"]?(?!#)", html) is None
    ids = {value for _, name, value in seen.attributes if name == "id"}
    assert {link[1:] for link in links if link.startswith("#")} <= ids, "a link inside the page leads nowhere"


def test_pictures_lie_in_the_page(finished_page: tuple[str, Page]) -> None:
    html, seen = finished_page
    assert html.count("data:image/jpeg;base64,") == 3
    assert "2 train a <b>.jpg" in seen.sections["data"]
    assert "wrong 2 train" in seen.sections["test"]


def test_unfinished_run_without_study(page: Write, tmp_path: Path) -> None:
    content = ReportContent(
        text="x", request=request(), bag=bag(tmp_path), choice=choice(), trials=trials()[:5], planned_trials=8,
        run_folder=tmp_path / "my run",
    )  # fmt: skip
    _, seen = page(content)
    assert "Unfinished: the end of training comes next" in seen.sections["head"]
    assert "trials 5 of 8 1 failed" in seen.sections["head"]
    assert "best mAP on val 0.561 trial 5" in seen.sections["head"]
    assert seen.sections["test"] == "Test This run has not come so far."
    assert f"autommlab run --resume '{tmp_path}/my run'" in seen.sections["use"]


def test_run_that_only_has_a_sentence(page: Write) -> None:
    _, seen = page(ReportContent(text="find cats", problem="the LLM service cannot be reached"))
    assert "find cats" in seen.sections["head"]
    assert "Stopped before understanding the LLM service cannot be reached" in seen.sections["head"]
    assert (seen.faults, seen.open) == ([], [])


def test_all_trials_failed(page: Write, tmp_path: Path) -> None:
    content = ReportContent(
        text="x", request=request(), bag=bag(tmp_path), choice=choice(), trials=failed_trials(), problem="All failed."
    )  # fmt: skip
    html, seen = page(content)
    assert "All 3 trials failed (diverged)" in seen.sections["head"]
    assert seen.sections["search"].count("The loss became NaN.") == 3
    assert "best-trial-3" in html
    assert "curves-" not in html
    assert 'class="chosen' not in html


@pytest.mark.parametrize(
    ("holds", "agrees", "state", "said"),
    [
        (True, True, "met", ""),
        (False, True, "not-met", "speed: at most 50 ms asked, 6.8 ms measured"),
        (None, True, "partly", "speed: at most 50 ms asked"),
        (True, False, "not-met", "the exported model differs from PyTorch"),
    ],
)
def test_verdict(finished: ReportContent, tmp_path: Path, holds: bool, agrees: bool, state: str, said: str) -> None:
    judged = verdict(dataclasses.replace(finished, deployment=deployment(tmp_path, holds=holds, agrees=agrees)))
    assert judged.state == state
    assert said in " ".join(judged.details)


def test_what_the_language_model_cost_and_who_stood_in_for_it_is_said(finished: ReportContent, page: Write) -> None:
    assert finished.study is not None
    first, *others = finished.study.trials
    lost = first.model_copy(update={"proposal": {"fallback": "service down"}})
    cost = LlmUsage(calls=3, prompt_tokens=1200, tokens=90, seconds=12)
    study = finished.study.model_copy(update={"trials": (lost, *others), "llm": cost})
    text, _ = page(dataclasses.replace(finished, study=study))
    assert "asked 3 times: 1,200 tokens read, 90 written, 12 s in all" in text
    assert f"A fallback proposed 1 of {len(study.trials)} trials, because of: service down (1)." in text
    plain, _ = page(finished)
    assert "The language model was asked" not in plain


def test_another_engine_than_asked_is_said(finished: ReportContent, tmp_path: Path) -> None:
    other = deployment(tmp_path).model_copy(update={"engine": "onnxruntime"})
    judged = verdict(dataclasses.replace(finished, deployment=other))
    assert judged.state == "not-met"
    assert judged.details[0] == "engine: openvino asked, onnxruntime delivered"
    assert "knows drawings only" in judged.details[-1]
    real = finished.bag.model_copy(update={"datasets": ("mine",)})  # type: ignore[union-attr]
    assert len(verdict(dataclasses.replace(finished, deployment=other, bag=real)).details) == 1


def test_same_records_give_the_same_page(finished: ReportContent, page: Write) -> None:
    fixed = dataclasses.replace(finished, written=0.0)
    assert page(fixed)[0] == page(fixed)[0]


def test_folder_that_cannot_be_written(finished: ReportContent, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match=r"cannot write .*file.*--out"):
        write_report(finished, tmp_path / "file" / "r.html")


def test_traceback_of_a_trial_is_folded_away(page: Write) -> None:
    broken = trial(1, 0.0, "failed", "shapes differ: 3 and 4\nTraceback <most recent>\n  line 7")
    html, seen = page(ReportContent(text="x", request=request(), trials=(broken,)))
    assert "shapes differ: 3 and 4 traceback Traceback <most recent> line 7" in seen.sections["search"]
    assert html.index("<summary>traceback") < html.index("Traceback &lt;most recent&gt;")
    assert (seen.faults, seen.open) == ([], [])


def test_the_plan_and_the_finalists_are_shown(finished: ReportContent, tmp_path: Path) -> None:
    assert finished.study is not None
    finals = (trial(1, 0.6), trial(2, 0.7))
    run = finished.study.model_copy(update={"finals": finals, "best": finals[1]})
    plan = decide(circumstances(5))
    content = dataclasses.replace(finished, study=run, plan=plan)
    page = Page(write_report(content, tmp_path / "report.html").read_text())
    assert not page.faults
    assert plan.reasons[2] in page.sections["plan"]
    assert plan.more[0] in page.sections["plan"]
    assert "Finalists, trained at the full fidelity" in page.sections["search"]
    assert "The best finalist by val (number 2)" in page.sections["test"]
    assert f"For better figures give more time. {plan.more[0]}" in page.sections["head"]
