"""Trials on the disk: whole lines, no key twice, and what a searcher may learn from them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from autommlab.common.errors import DataError
from autommlab.common.keyed_lines import write_compressed
from autommlab.training.search_space import search_space
from searchers.context import StudyContext
from searchers.transfer.trial_history import load_history
from searchers.transfer.zero_shot import zero_shot_configs
from tests.helpers.trial_making import made_up, setup_of
from training_data_gen.trials.jobs import Job, trained_elsewhere
from training_data_gen.trials.plan import plan_bags
from training_data_gen.trials.prepare import SEED
from training_data_gen.trials.store import TrialsFile, learnable, past_trial, read_trials, write_history

PLAN = plan_bags()
BAG, OTHER = PLAN[0], PLAN[1]
HELD_OUT = next(bag for bag in PLAN if bag.held_out)
LEFT_OUT = next(bag for bag in PLAN if bag.left_out and not bag.held_out)


def test_keys_differ_by_bag_config_and_seed_alone() -> None:
    recorded = [*made_up(BAG, 20), *made_up(BAG, 20, seed=1), *made_up(OTHER, 20)]
    assert len({t.key for t in recorded}) == 60
    assert [t.key for t in made_up(BAG, 20)] == [t.key for t in recorded[:20]]
    renamed = BAG.model_copy(update={"id": "another-name", "held_out": True})
    assert [t.key for t in made_up(renamed, 20)] == [t.key for t in recorded[:20]]


def test_a_line_is_complete_and_names_no_machine() -> None:
    trial = max(made_up(BAG, 20), key=lambda t: t.score)
    line = json.loads(trial.model_dump_json())
    assert line["test"] == pytest.approx(trial.score - 0.02)
    assert sum(t.test is not None for t in made_up(BAG, 20)) == 1
    assert {t.sobol_number for t in made_up(BAG, 20)} == set(range(20))
    assert {p["name"] for p in line["parameters"]} == set(line["config"])
    assert line["context"]["dataset"] == BAG.dataset
    assert line["versions"]["torch"]
    assert "somewhere" not in trial.model_dump_json()


def test_nothing_is_stored_twice_and_a_torn_line_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "trials.jsonl"
    recorded = made_up(BAG, 6)
    assert TrialsFile(path).add(recorded[:4]) == 4
    with path.open("a") as torn:
        torn.write(recorded[4].model_dump_json()[:50])
    file = TrialsFile(path)
    assert len(file) == 4
    assert file.add(recorded) == 2
    assert file.add(recorded) == 0
    assert read_trials(tmp_path) == recorded
    packed = write_compressed(recorded, tmp_path / "packed" / "trials.jsonl.gz")
    assert sorted(read_trials(packed.parent), key=lambda t: t.key) == sorted(recorded, key=lambda t: t.key)
    before = packed.read_bytes()
    assert write_compressed(reversed(recorded), packed).read_bytes() == before


def test_a_study_is_known_only_as_a_whole_and_with_its_own_bounds() -> None:
    whole = made_up(BAG, 20)
    job = Job(BAG, SEED, 20, default=False)
    assert trained_elsewhere(job, [*made_up(OTHER, 20), *whole]) == whole
    masks = [
        t.model_copy(update={"bag": t.bag.model_copy(update={"classes": ("background", *BAG.classes)})}) for t in whole
    ]
    assert trained_elsewhere(job, masks) == masks
    assert not trained_elsewhere(job, whole[:-1])
    assert not trained_elsewhere(job._replace(default=True), whole)
    assert not trained_elsewhere(job._replace(seed=1), whole)
    assert not trained_elsewhere(job._replace(near=True), whole)
    wider = BAG.model_copy(update={"iterations": (1, 1000)})
    assert not trained_elsewhere(job._replace(planned=wider), whole)


def test_errors_name_the_file_the_line_and_the_remedy(tmp_path: Path) -> None:
    path = tmp_path / "trials.jsonl"
    with pytest.raises(DataError, match=r"trials\.jsonl cannot be read.*autommlab trials"):
        read_trials(tmp_path)
    path.write_text("")
    with pytest.raises(DataError, match="holds no trial yet"):
        read_trials(tmp_path)
    path.write_text(made_up(BAG, 1)[0].model_dump_json() + "\n{}\n")
    with pytest.raises(DataError, match="line 2 is no trial: key"):
        read_trials(tmp_path)


def test_a_searcher_sees_val_only() -> None:
    winner = next(t for t in made_up(BAG, 8) if t.test is not None)
    seen = past_trial(winner)
    assert seen.score == winner.score
    assert "test" not in seen.model_dump_json().replace("test images", "")
    assert not set(seen.model_dump()) & {"test", "test_metrics", "metrics"}


def test_held_out_bags_and_left_out_sets_are_not_learnt_from(tmp_path: Path) -> None:
    recorded = [*made_up(BAG, 8), *made_up(HELD_OUT, 8), *made_up(LEFT_OUT, 8)]
    assert {t.planned for t in learnable(recorded)} == {BAG.id, LEFT_OUT.id}
    assert {t.planned for t in learnable(recorded, without=[LEFT_OUT.dataset])} == {BAG.id}
    written = write_history(recorded, tmp_path / "trial_history.jsonl")
    assert {e.context["dataset"] for e in load_history(written)} == {BAG.dataset, LEFT_OUT.dataset}


def test_the_zero_shot_finds_the_best_config_of_the_same_bag() -> None:
    recorded = made_up(BAG, 16)
    context = StudyContext(facts=recorded[0].context)
    (first, *_) = zero_shot_configs(search_space(BAG.budget()), context, [past_trial(t) for t in recorded])
    best = max(recorded, key=lambda t: t.score)
    assert first == best.config
    assert setup_of(BAG).bag.datasets == (BAG.dataset,)
