"""Near-duplicates: found as by comparing every pair, and refused where training data are built."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training_data_gen.adapters.understanding_examples import ru_data
from training_data_gen.benchmarks.request_sets import SETS, read_set
from training_data_gen.requests.corpus import corpus
from training_data_gen.requests.near_duplicates import WordSetIndex, refuse_near_duplicates, word_set

GULLS = "Mark the wing tips and the beak of every gull on the pier, PCK 0.8, on a Raspberry Pi."
GULLS_AGAIN = "Please mark the beak and the wing tips of each gull on the pier; PCK 0.9, on a Raspberry Pi."
HERONS = "Where do beak, neck and feet of the heron lie while it fishes? At most 2 GFLOPs."

_TEXTS = st.lists(st.text("abcde ", max_size=16), max_size=12)


@given(_TEXTS, st.sampled_from([0.2, 0.5, 0.75, 1.0]))
def test_the_index_finds_what_comparing_every_pair_finds(texts: list[str], threshold: float) -> None:
    named = [(str(number), text) for number, text in enumerate(texts)]
    index = WordSetIndex(named, threshold)
    for name, text in named:
        words = word_set(text)
        if not words:
            continue
        others = [
            len(words & word_set(other)) / len(words | word_set(other)) for number, other in named if number != name
        ]
        best = max((one for one in others if one >= threshold), default=None)
        found = index.nearest(name, text)
        assert (found.similarity if found else None) == best


def test_the_same_wish_in_other_order_and_figures_is_a_near_duplicate() -> None:
    index = WordSetIndex([("gulls", GULLS), ("herons", HERONS)])
    found = index.nearest("again", GULLS_AGAIN)
    assert found is not None
    assert (found.id, found.of) == ("again", "gulls")
    assert index.nearest("gulls", GULLS) is None


@pytest.mark.parametrize("threshold", [0, -0.1, 1.01])
def test_a_threshold_out_of_range_is_refused(threshold: float) -> None:
    with pytest.raises(ValueError, match="must be above 0"):
        WordSetIndex([], threshold)


def test_the_refusal_names_ids_and_no_text() -> None:
    refuse_near_duplicates([("a", GULLS), ("b", HERONS)], [("dev-1", "Count the crates, please.")])
    with pytest.raises(ValueError, match=r"a of test-9 \(0\.\d+\)") as refused:
        refuse_near_duplicates([("a", GULLS), ("b", HERONS)], [("test-9", GULLS_AGAIN)])
    assert "gull" not in str(refused.value)
    with pytest.raises(ValueError, match="a of b"):
        refuse_near_duplicates([("a", GULLS), ("b", GULLS_AGAIN)])


def test_the_build_of_training_data_refuses_a_measured_request() -> None:
    one = corpus()[7]
    with pytest.raises(ValueError, match=f"{one.id} of test-1"):
        ru_data(40, measured=[("test-1", one.text)])


def test_no_handwritten_request_is_nearly_another_or_a_measured_one() -> None:
    measured = [(one.id, one.request) for name in SETS for one in read_set(name)]
    refuse_near_duplicates([(one.id, one.text) for one in corpus()], measured)


def test_no_request_of_the_second_test_set_is_nearly_another() -> None:
    others = [(one.id, one.request) for name in SETS if name != "test2" for one in read_set(name)]
    trained = [(one.id, one.text) for one in corpus()]
    refuse_near_duplicates([(one.id, one.request) for one in read_set("test2")], others + trained)
