"""The data card, from a small table whose figures are known."""

from __future__ import annotations

from pathlib import Path

import pytest

from autommlab.tasks import Task
from searchers.transfer.trial_history import load_history
from tests.helpers.program import autommlab_here
from tests.helpers.trial_making import made_up
from training_data_gen.trials.card import write_trials_card
from training_data_gen.trials.plan import plan_bags
from training_data_gen.trials.records import RecordedTrial
from training_data_gen.trials.statistics import explained, explained_together, noise, spread, task_figures
from training_data_gen.trials.store import TrialsFile, read_trials

BAGS = [bag for bag in plan_bags([Task.SEGMENTATION]) if not bag.held_out][:4]
OTHER = plan_bags([Task.DETECTION])[0]


@pytest.fixture(scope="module")
def recorded() -> list[RecordedTrial]:
    return [t for bag in BAGS for t in made_up(bag, 24)] + made_up(BAGS[0], 4, seed=1)


def test_the_learning_rate_explains_what_it_decides(recorded: list[RecordedTrial]) -> None:
    shares = explained([t for t in recorded if t.seed == 0])
    assert list(shares) == ["iterations", "batch_size", "optimizer", "lr", "weight_decay", "lr_schedule"]
    assert shares["lr"] > 0.45  # the rest of it lies within the five parts of the range
    assert all(share < 0.2 for name, share in shares.items() if name != "lr")
    together = explained_together([t for t in recorded if t.seed == 0])
    assert together is not None and together > 0.8


def test_too_few_trials_explain_nothing() -> None:
    few = made_up(BAGS[0], 8)
    assert explained(few) == {}
    assert explained_together(few) is None


def test_noise_is_the_deviation_between_seeds(recorded: list[RecordedTrial]) -> None:
    pairs = {str(t.config) for t in recorded if t.seed == 1 and not t.failed}
    found = noise([t for t in recorded if str(t.config) in pairs])
    assert found == pytest.approx(0.01 / 2**0.5, rel=1e-3)
    assert noise(made_up(BAGS[0], 5)) is None


def test_the_spread_is_that_of_one_seed(recorded: list[RecordedTrial]) -> None:
    own = [t for t in recorded if t.planned == BAGS[0].id]
    scores = [t.score for t in own if t.seed == 0]
    assert (spread(own).lowest, spread(own).highest) == (min(scores), max(scores))
    default = own[0].model_copy(update={"sobol_number": None, "score": sorted(scores)[-2]})
    with_default = spread([t for t in own if t.seed == 0] + [default])
    assert with_default.default == default.score
    assert with_default.better == pytest.approx(1 / 24)


def test_a_task_is_counted(recorded: list[RecordedTrial]) -> None:
    figures = task_figures(recorded)
    assert (figures.bags, figures.trials) == (4, 100)
    assert figures.failed == figures.diverged == sum(t.failed for t in recorded) / 100 > 0
    assert figures.hours == pytest.approx(100 * 4 / 3600)
    assert figures.seconds == (4.0, 4.0)


def test_the_card_tells_all_of_it_and_has_small_plots(recorded: list[RecordedTrial], tmp_path: Path) -> None:
    TrialsFile(tmp_path / "trials.jsonl").add([*recorded, *made_up(OTHER, 5)])
    card = write_trials_card(tmp_path).read_text()
    assert "105 real trainings over 5 tasks" in card
    assert "| segmentation | 4 | 100 |" in card
    assert "DivergedError" in card
    assert "held out" in card
    assert all(f"| {bag.id} |" in card for bag in BAGS)
    plots = sorted(path.name for path in (tmp_path / "plots").iterdir())
    assert plots == [
        f"{task}-{kind}.png" for task in ("detection", "segmentation") for kind in ("bags", "hyperparameters")
    ]
    assert all(2_000 < (tmp_path / "plots" / name).stat().st_size < 150_000 for name in plots)
    assert all(f"plots/{name}" in card for name in plots)


def test_the_command_writes_card_history_and_the_packed_file(recorded: list[RecordedTrial], tmp_path: Path) -> None:
    TrialsFile(tmp_path / "trials.jsonl").add(recorded)
    packed, learnt = tmp_path / "packed" / "trials.jsonl.gz", tmp_path / "trial_history.jsonl"
    written = autommlab_here("trials", "--out", tmp_path, "--pack", packed, "--trial-history", learnt)
    assert written.code == 0, written.err
    assert len(read_trials(packed)) == len(load_history(learnt)) == len(recorded)
    card = autommlab_here("trials", "--card", packed.parent)
    assert card.code == 0, card.err
    assert (packed.parent / "README.md").exists()
    missing = autommlab_here("trials", "--card", tmp_path / "nowhere")
    assert missing.code == 3
    assert "Make some with: autommlab trials" in missing.err
