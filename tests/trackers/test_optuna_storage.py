"""An Optuna storage, read back by Optuna and by optuna-dashboard."""

import json
from pathlib import Path

import optuna
import pytest
from optuna.distributions import IntDistribution
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState
from optuna_dashboard import wsgi

from autommlab.trackers.targets import Target
from searchers.optuna_search import distributions
from tests.helpers.tiny_trials import small_space
from tests.helpers.tracked_run import Interrupted, RunWriter


@pytest.fixture(params=["sqlite", "journal"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/new/study.db" if request.param == "sqlite" else str(tmp_path / "new" / "study.log")


def storage(where: str) -> str | JournalStorage:
    return where if "://" in where else JournalStorage(JournalFileBackend(where))


def test_optuna_reads_the_study_and_a_resume_adds_to_it(run: RunWriter, where: str) -> None:
    target = Target("optuna", where)
    with run.followed(target):
        run.trial("a_0")
        run.trial("a_1", "diverged")
        raise Interrupted
    with run.followed(target):
        run.trial("b_2", "stopped")
        run.begin("b_3")
    assert run.warnings == []
    study = optuna.load_study(study_name="bricks", storage=storage(where))
    assert [trial.state for trial in study.trials] == [TrialState.COMPLETE, TrialState.FAIL, TrialState.PRUNED]
    first = study.trials[0]
    assert (first.value, first.intermediate_values) == (0.8, {4: 0.4, 8: 0.8})
    assert first.params["lr"] == 0.001
    assert first.distributions == distributions(small_space((8, 8)))
    assert first.user_attrs["proposed_by"] == "tpe:start-up"
    assert (first.user_attrs["source"], first.user_attrs["val/top-5 accuracy"]) == ("tpe", 1.0)
    assert first.duration is not None
    assert first.duration.total_seconds() == pytest.approx(2.0)
    assert study.trials[1].user_attrs["reason"] == "the loss became nan"
    assert study.user_attrs["test/accuracy"] == 0.75
    assert (study.direction.name, study.metric_names) == ("MAXIMIZE", ["accuracy"])


def test_finalists_are_a_study_of_their_own(run: RunWriter, where: str) -> None:
    with run.followed(Target("optuna", where)):
        run.trial("a_0")
        run.enter("final")
        run.trial("b_1")
    assert run.warnings == []
    (final,) = optuna.load_study(study_name="bricks-final", storage=storage(where)).trials
    assert (final.user_attrs["stage"], final.user_attrs["trial_id"], final.value) == ("final", "b_1", 0.8)
    assert len(optuna.load_study(study_name="bricks", storage=storage(where)).trials) == 1


def test_two_runs_of_one_name_are_two_studies(run: RunWriter, where: str, tmp_path: Path) -> None:
    other = RunWriter(tmp_path / "other")
    for each in (run, other, run):
        with each.followed(Target("optuna", where)):
            each.trial(f"{id(each)}_{0}")
            raise Interrupted
    assert optuna.get_all_study_names(storage(where)) == ["bricks", "bricks-2"]


def test_the_dashboard_shows_it(run: RunWriter, where: str) -> None:
    with run.followed(Target("optuna", where)):
        run.trial("a_0")
    application = wsgi(storage(where))

    def get(path: str) -> dict:
        status: list[str] = []
        environ = {"REQUEST_METHOD": "GET", "PATH_INFO": path, "SERVER_NAME": "x", "SERVER_PORT": "1"}
        environ |= {"wsgi.url_scheme": "http", "HTTP_HOST": "x"}
        body = b"".join(application(environ, lambda line, headers, *_: status.append(line)))
        assert status[0].startswith("200"), body
        return json.loads(body)

    (summary,) = get("/api/studies")["study_summaries"]
    assert summary["study_name"] == "bricks"
    (trial,) = get(f"/api/studies/{summary['study_id']}")["trials"]
    assert trial["values"] == [0.8]
    assert {each["name"]: each["param_external_value"] for each in trial["params"]}["lr"] == "0.001"


def test_bounds_of_an_extended_run_may_differ(run: RunWriter, where: str) -> None:
    run.trial("a_0")
    (run.folder / "study" / "space.json").write_text(small_space((20, 30)).model_dump_json())
    with run.followed(Target("optuna", where)):
        pass
    assert run.warnings == []
    (trial,) = optuna.load_study(study_name="bricks", storage=storage(where)).trials
    assert trial.distributions["iterations"] == IntDistribution(8, 30)
