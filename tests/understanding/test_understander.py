"""The retry, the questions and the errors, with faults injected in the LLM's place."""

import pytest

from autommlab import settings
from autommlab.common.errors import RequestError
from autommlab.understanding import understand as seam
from autommlab.understanding.answer import answer_text, no_task_answer
from autommlab.understanding.llm import CUT_OFF, Understander, described, tidy
from autommlab.understanding.outcome import Unclear, UnclearRequest, Understood
from autommlab.understanding.request import ModelRequest
from serve.errors import ServiceRefused, ServiceTimeout, ServiceUnreachable
from tests.helpers.faulty_llm import FaultyLLM

TEXT = "Find cats, mAP over 0.5"


def answer(*things: str, task: str = "detection", metric: float = 0.5) -> str:
    metrics = [{"name": "mAP", "value": metric}]
    return answer_text(ModelRequest.parse({"data": {"object": things}, "model": {"task": task, "metrics": metrics}}))


def test_a_copied_object_and_number_are_told_back_and_corrected() -> None:
    llm = FaultyLLM(answer("lobster", metric=0.45), answer("cat"), models=("base",))
    outcome = Understander(llm).understand(TEXT)
    assert isinstance(outcome, Understood)
    assert outcome.request.data.object == ("cat",)
    assert outcome.notes == ()
    told = llm.asked[1][-1]["content"]
    assert '"lobster" is not in the text' in told
    assert "0.45" in told
    assert outcome.effort is not None
    assert (outcome.effort.calls, outcome.effort.tokens, outcome.effort.prompt_tokens) == (2, 14, 200)


def test_an_adapter_that_errs_is_asked_for_other_samples_and_the_best_counts() -> None:
    others = (answer("oboe", "lobster"), None, answer("cat"), answer("lobster"))
    llm = FaultyLLM(answer("lobster"), others)
    outcome = Understander(llm).understand(TEXT)
    assert isinstance(outcome, Understood)
    assert outcome.request.data.object == ("cat",)
    assert outcome.notes == ()
    assert llm.asked[1] == llm.asked[0]
    assert llm.sampled == [1, settings.UNDERSTANDING_SAMPLES]


def test_what_stays_wrong_is_left_out_and_noted() -> None:
    outcome = Understander(FaultyLLM(answer("cat", "lobster"), answer("cat", "oboe"))).understand(TEXT)
    assert isinstance(outcome, Understood)
    assert outcome.request.data.object == ("cat",)
    assert outcome.notes == ('left out of the parse: the object "oboe" is not in the text',)


def test_what_is_plainly_wrong_is_left_out_without_asking_again() -> None:
    misplaced = answer("cat").replace('"modality":"rgb","specific":[]', '"modality":"cat","specific":["cat"]')
    outcome = Understander(FaultyLLM(misplaced)).understand(TEXT)
    assert isinstance(outcome, Understood)
    assert (outcome.request.data.modality, outcome.request.data.specific) == ("rgb", ())
    assert len(outcome.notes) == 2


def test_the_better_of_two_answers_counts() -> None:
    outcome = Understander(FaultyLLM(answer("cat", "lobster"), answer("oboe", "lobster", metric=0.9))).understand(TEXT)
    assert isinstance(outcome, Understood)
    assert "lobster" in outcome.notes[0]
    assert len(outcome.notes) == 1


def test_an_answer_that_was_cut_off_is_asked_for_again() -> None:
    llm = FaultyLLM(None, answer("cat"), models=("base",))
    assert isinstance(Understander(llm).understand(TEXT), Understood)
    assert CUT_OFF in llm.asked[1][-1]["content"]


def test_no_usable_answer_twice_is_an_error_with_a_way_out() -> None:
    with pytest.raises(RequestError, match=r"no usable answer in 2 tries: .*--parse FILE"):
        Understander(FaultyLLM(None, "{oops")).understand(TEXT)


def test_a_first_answer_survives_a_retry_that_does_not_fit() -> None:
    outcome = Understander(FaultyLLM(answer("cat", "lobster"), ServiceRefused("too long"))).understand(TEXT)
    assert isinstance(outcome, Understood)
    assert outcome.request.data.object == ("cat",)


def test_a_prompt_that_is_too_long_is_the_persons_matter_an_outage_is_not() -> None:
    with pytest.raises(RequestError, match="did not take the request: too long"):
        Understander(FaultyLLM(ServiceRefused("too long"))).understand(TEXT)
    with pytest.raises(ServiceTimeout):
        Understander(FaultyLLM(ServiceTimeout("slow"))).understand(TEXT)


def test_no_task_and_no_object_are_questions() -> None:
    nothing = Understander(FaultyLLM(no_task_answer())).understand("Hello there")
    assert isinstance(nothing, Unclear)
    assert nothing.missing == ("task", "object")
    copied = Understander(FaultyLLM(answer("lobster"), answer("oboe"))).understand(TEXT)
    assert isinstance(copied, Unclear)
    assert copied.missing == ("object",)
    assert "Which things should the model find" in copied.question


def test_the_adapter_answers_if_it_is_served_and_without_examples() -> None:
    tuned, untuned = FaultyLLM(answer("cat")), FaultyLLM(answer("cat"), models=("base", "hpo"))
    first, second = Understander(tuned).understand(TEXT), Understander(untuned).understand(TEXT)
    assert isinstance(first, Understood)
    assert isinstance(second, Understood)
    assert first.effort is not None
    assert second.effort is not None
    assert (first.effort.model, first.effort.tuned) == ("ru", True)
    assert (second.effort.model, second.effort.tuned) == ("base", False)
    assert len(tuned.asked[0]) == 2 < len(untuned.asked[0])
    bare = FaultyLLM(answer("cat"), models=("base",))
    Understander(bare, examples=False).understand(TEXT)
    assert len(bare.asked[0]) == 2
    assert first.warnings() == ()
    assert "untuned base model" in second.warnings()[0]


def test_repetitions_and_blanks_go_and_the_first_sentence_describes() -> None:
    request = tidy(
        ModelRequest.parse({"data": {"object": ["cat", " ", "Cat", "b  c"]}, "model": {"task": "detection"}})
    )
    assert request.data.object == ("cat", "b c")
    assert described(request, "Find cats. They are cute.").model.description == "Find cats."
    assert len(described(request, "cats " * 500).data.description) <= 204


def lend(monkeypatch: pytest.MonkeyPatch, llm: FaultyLLM) -> None:
    monkeypatch.setattr(seam, "connect", lambda *_, **__: llm)


def test_the_person_is_asked_and_the_answer_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    lend(monkeypatch, FaultyLLM(answer(), answer("cat")))
    asked = []

    def ask(question: str) -> str:
        asked.append(question)
        return "cats"

    outcome = seam.understand("Find them, mAP 0.5", lent=seam.Lent(ask=ask))
    assert outcome.text == "Find them, mAP 0.5. cats"
    assert outcome.request.data.object == ("cat",)
    assert len(asked) == 1


@pytest.mark.parametrize("ask", [None, lambda _: "  "])
def test_nobody_to_ask_or_no_answer_stops_with_the_question(monkeypatch: pytest.MonkeyPatch, ask: object) -> None:
    lend(monkeypatch, FaultyLLM(answer()))
    with pytest.raises(UnclearRequest, match="Which things should the model find") as caught:
        seam.understand("Find them, mAP 0.5", lent=seam.Lent(ask=ask))  # type: ignore[arg-type]
    assert caught.value.exit_code == 2


def test_questions_have_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    lend(monkeypatch, FaultyLLM(*[no_task_answer()] * 9))
    asked = []

    def ask(question: str) -> str:
        asked.append(question)
        return "hm"

    with pytest.raises(UnclearRequest):
        seam.understand("hm hm", lent=seam.Lent(ask=ask))
    assert len(asked) == seam.MOST_QUESTIONS


def test_rubbish_never_reaches_a_service(monkeypatch: pytest.MonkeyPatch) -> None:
    llm = FaultyLLM()
    lend(monkeypatch, llm)
    for text in ("", "...", "x" * 50_000):
        with pytest.raises(RequestError):
            seam.understand(text)
    assert llm.asked == []


def test_an_outage_names_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    lend(monkeypatch, FaultyLLM(ServiceUnreachable("http://127.0.0.1:1 cannot be reached")))
    from autommlab.common.errors import LLMServiceError

    with pytest.raises(LLMServiceError, match=r"127\.0\.0\.1:1 cannot be reached[\s\S]*--parse FILE"):
        seam.understand(TEXT)


def test_a_text_in_another_language_is_told_with_the_question() -> None:
    outcome = Understander(FaultyLLM(no_task_answer())).understand("Was ist das und wie geht es dir")
    assert isinstance(outcome, Unclear)
    assert outcome.question.startswith("The text looks like German; requests are understood in English")
