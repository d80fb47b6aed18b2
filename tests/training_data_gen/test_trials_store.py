"""Triplets on the disk: whole lines, no key twice, and what a searcher may learn from them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from autommlab.common.errors import DataError
from autommlab.common.keyed_lines import write_compressed
from autommlab.training.search_space import search_space
from searchers.context import StudyContext
from searchers.transfer.trial_history import load_experience
from searchers.transfer.zero_shot import prior_points
from tests.helpers.trial_making import made_up, setup_of
from training_data_gen.trials.jobs import Job, trained_elsewhere
from training_data_gen.trials.plan import make_plan
from training_data_gen.trials.prepare import SEED
from training_data_gen.trials.store import TripletFile, past_trial, learnable, read_triplets, write_experience

PLAN = make_plan()
BAG, OTHER = PLAN[0], PLAN[1]
HELD_OUT = next(bag for bag in PLAN if bag.held_out)
LEFT_OUT = next(bag for bag in PLAN if bag.left_out and not bag.held_out)


def test_keys_differ_by_bag_point_and_seed_alone() -> None:
    triplets = [*made_up(BAG, 20), *made_up(BAG, 20, seed=1), *made_up(OTHER, 20)]
    assert len({t.key for t in triplets}) == 60
    assert [t.key for t in made_up(BAG, 20)] == [t.key for t in triplets[:20]]
    renamed = BAG.model_copy(update={"id": "another-name", "held_out": True})
    assert [t.key for t in made_up(renamed, 20)] == [t.key for t in triplets[:20]]


def test_a_line_is_complete_and_names_no_machine() -> None:
    triplet = max(made_up(BAG, 20), key=lambda t: t.score)
    line = json.loads(triplet.model_dump_json())
    assert line["test"] == pytest.approx(triplet.score - 0.02)
    assert sum(t.test is not None for t in made_up(BAG, 20)) == 1
    assert {t.sobol_number for t in made_up(BAG, 20)} == set(range(20))
    assert {p["name"] for p in line["parameters"]} == set(line["point"])
    assert line["context"]["dataset"] == BAG.dataset
    assert line["versions"]["torch"]
    assert "somewhere" not in triplet.model_dump_json()


def test_nothing_is_stored_twice_and_a_torn_line_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "triplets.jsonl"
    triplets = made_up(BAG, 6)
    assert TripletFile(path).add(triplets[:4]) == 4
    with path.open("a") as file:
        file.write(triplets[4].model_dump_json()[:50])
    file = TripletFile(path)
    assert len(file) == 4
    assert file.add(triplets) == 2
    assert file.add(triplets) == 0
    assert read_triplets(tmp_path) == triplets
    packed = write_compressed(triplets, tmp_path / "packed" / "triplets.jsonl.gz")
    assert sorted(read_triplets(packed.parent), key=lambda t: t.key) == sorted(triplets, key=lambda t: t.key)
    before = packed.read_bytes()
    assert write_compressed(reversed(triplets), packed).read_bytes() == before


def test_a_study_is_known_only_as_a_whole_and_with_its_own_bounds() -> None:
    whole = made_up(BAG, 20)
    job = Job(BAG, SEED, 20, recipe=False)
    assert trained_elsewhere(job, [*made_up(OTHER, 20), *whole]) == whole
    masks = [
        t.model_copy(update={"bag": t.bag.model_copy(update={"classes": ("background", *BAG.classes)})}) for t in whole
    ]
    assert trained_elsewhere(job, masks) == masks
    assert not trained_elsewhere(job, whole[:-1])
    assert not trained_elsewhere(job._replace(recipe=True), whole)
    assert not trained_elsewhere(job._replace(seed=1), whole)
    assert not trained_elsewhere(job._replace(near=True), whole)
    wider = BAG.model_copy(update={"iterations": (1, 1000)})
    assert not trained_elsewhere(job._replace(planned=wider), whole)


def test_errors_name_the_file_the_line_and_the_remedy(tmp_path: Path) -> None:
    path = tmp_path / "triplets.jsonl"
    with pytest.raises(DataError, match=r"triplets\.jsonl cannot be read.*autommlab trials"):
        read_triplets(tmp_path)
    path.write_text("")
    with pytest.raises(DataError, match="holds no triplet yet"):
        read_triplets(tmp_path)
    path.write_text(made_up(BAG, 1)[0].model_dump_json() + "\n{}\n")
    with pytest.raises(DataError, match="line 2 is no triplet: key"):
        read_triplets(tmp_path)


def test_a_searcher_sees_val_only() -> None:
    winner = next(t for t in made_up(BAG, 8) if t.test is not None)
    seen = past_trial(winner)
    assert seen.score == winner.score
    assert "test" not in seen.model_dump_json().replace("test images", "")
    assert not set(seen.model_dump()) & {"test", "test_metrics", "metrics"}


def test_held_out_bags_and_left_out_sets_are_not_learnt_from(tmp_path: Path) -> None:
    triplets = [*made_up(BAG, 8), *made_up(HELD_OUT, 8), *made_up(LEFT_OUT, 8)]
    assert {t.planned for t in learnable(triplets)} == {BAG.id, LEFT_OUT.id}
    assert {t.planned for t in learnable(triplets, without=[LEFT_OUT.dataset])} == {BAG.id}
    written = write_experience(triplets, tmp_path / "experience.jsonl")
    assert {e.context["dataset"] for e in load_experience(written)} == {BAG.dataset, LEFT_OUT.dataset}


def test_the_prior_finds_the_best_point_of_the_same_bag() -> None:
    triplets = made_up(BAG, 16)
    context = StudyContext(facts=triplets[0].context)
    (first, *_) = prior_points(search_space(BAG.budget()), context, [past_trial(t) for t in triplets])
    best = max(triplets, key=lambda t: t.score)
    assert first == best.point
    assert setup_of(BAG).bag.datasets == (BAG.dataset,)
