"""The ledger of finished trials: survives crashes and full disks."""

from pathlib import Path

import pytest

from autommlab.common.errors import StorageError
from autommlab.common.trial_status import TrialStatus
from autommlab.training.ledger import Ledger, best_record
from autommlab.training.records import Hyperparameters, TrialRecord
from autommlab.training.study_log import StopWhenHopeless


def point(lr: float = 0.01) -> Hyperparameters:
    return Hyperparameters(iterations=10, batch_size=4, optimizer="SGD", lr=lr, weight_decay=1e-4, lr_schedule="StepLR")


def record(number: int, score: float = 0.5, status: TrialStatus = "ok", lr: float | None = None) -> TrialRecord:
    own = point(lr if lr is not None else number / 1000)
    return TrialRecord(number=number, trial_id=f"t{number}", hyperparameters=own, score=score, status=status)


def test_records_come_back_in_order(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "trials.jsonl")
    for number in (1, 2, 3):
        ledger.append(record(number))
    assert [r.number for r in Ledger(tmp_path / "trials.jsonl").records] == [1, 2, 3]


def test_finds_a_trial_by_its_hyperparameters_whatever_else_the_config_holds(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "trials.jsonl")
    ledger.append(record(1, lr=0.01))
    assert ledger.find({**point(0.01).model_dump(), "extra": 1}) == record(1, lr=0.01)
    assert ledger.find(point(0.02).model_dump()) is None


def test_a_line_torn_by_a_crash_is_dropped_and_the_next_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "trials.jsonl"
    ledger = Ledger(path)
    ledger.append(record(1))
    with path.open("a") as file:
        file.write(record(2).model_dump_json()[:40])
    again = Ledger(path)
    assert [r.number for r in again.records] == [1]
    again.append(record(2))
    assert [r.number for r in Ledger(path).records] == [1, 2]


def test_the_best_trial_is_the_highest_real_score_the_earliest_of_equals() -> None:
    trials = [record(1, 0.4), record(2, 0.7), record(3, 0.7), record(4, 0.9, "diverged")]
    assert best_record(trials) == trials[1]
    assert best_record([record(1, 0.0, "failed")]) is None


def test_a_full_disk_is_named(tmp_path: Path) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this system has no /dev/full")
    ledger = Ledger(tmp_path / "trials.jsonl")
    ledger._path = full
    with pytest.raises(StorageError, match="No space left on device"):
        ledger.append(record(1))
    assert ledger.records == []


@pytest.mark.parametrize("status", ["failed", "worker-died"])
def test_a_study_without_prospect_ends_and_a_resumed_one_gets_another_chance(
    status: TrialStatus, tmp_path: Path
) -> None:
    ledger = Ledger(tmp_path / "trials.jsonl")
    first = StopWhenHopeless(ledger)
    for number in (1, 2, 3):
        assert not first.stop_all()
        ledger.append(record(number, 0.0, status))
    assert first.stop_all()
    resumed = StopWhenHopeless(ledger)
    assert not resumed.stop_all()
    for number in (4, 5, 6):
        ledger.append(record(number, 0.0, "ok" if number == 5 else status))
    assert not resumed.stop_all(), "one trial went well"
