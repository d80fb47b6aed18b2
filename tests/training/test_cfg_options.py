"""`--cfg-options`: read as OpenMMLab reads them, checked against the built config, and found in what is built."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from autommlab.cfg_options import CfgOption, merged, read_option, read_value, why_not_set
from autommlab.cli.main import app, one_a_word
from autommlab.common.errors import ModelError, RequestError, ResumeError
from autommlab.options import RunOptions
from autommlab.report.run_report import run_command
from autommlab.storage.run_folder import RunFolder
from autommlab.tasks import Task
from autommlab.training.config_file import parse_config
from autommlab.training.runner_config import TrialSetup
from autommlab.understanding.request import ModelRequest
from tests.helpers.program import EXAMPLES
from tests.helpers.tiny_trials import point

PIPELINE = "train_dataloader.dataset.pipeline.0.transforms"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("3", 3), ("-0.5", -0.5), ("1e-3", 1e-3), ("true", True), ("False", False), ("None", None), ("word", "word"),
        ("1,2", [1, 2]), ("[1,2]", [1, 2]), ("(1, 2.5)", (1, 2.5)), ("[(1,2),(a,b)]", [(1, 2), ("a", "b")]),
        ("(1,2),(3,4)", [(1, 2), (3, 4)]), ("[]", []), ("(1,)", (1,)), ("'[1,2]'", [1, 2]),
        ('"relu"', "relu"), ("", ""),
        ("__import__('os')", "__import__('os')"),
    ],
)  # fmt: skip
def test_values_are_read_as_openmmlab_reads_them(text: str, expected: object) -> None:
    found = read_value(text)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize("text", ["[1,2", "1)", "[1,2)", "nan", "[inf]", "-Infinity", "[" * 99 + "]" * 99])
def test_a_value_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"do not match|finite|deep"):
        read_value(text)


@pytest.mark.parametrize("text", ["", "model", "=3", "model..x=3", "model.x y=3", "mödel.x=1", "a/b=1", ".a=1"])
def test_what_is_no_pair_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="it takes KEY=VALUE"):
        read_option(text)


def test_overrides_leave_the_rest_and_the_original_alone() -> None:
    shared = {"type": "codec", "size": (1, 2)}
    config = {"model": {"head": {"decoder": shared, "a": 1}}, "steps": [{"encoder": shared}, {"p": 0.5}]}
    done = merged(config, [CfgOption(("steps", "1", "p"), 0.1), CfgOption(("model", "head", "b"), 2)])
    assert done == {
        "model": {"head": {"decoder": shared, "a": 1, "b": 2}}, "steps": [{"encoder": shared}, {"p": 0.1}]
    }  # fmt: skip
    assert config["steps"][1] == {"p": 0.5}  # type: ignore[index]


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("optim_wrapper.optimizer.lr", "what the search proposes"),
        ("optim_wrapper.optimizer", "what the search proposes"),
        ("optim_wrapper.accumulative_counts", "--batch"),
        ("optim_wrapper.constructor", "no code from outside"),
        ("param_scheduler.0.gamma", "lr_schedule"),
        ("train_dataloader.batch_size", "--batch"),
        ("train_dataloader.sampler.seed", "the run's"),
        ("train_dataloader.dataset.ann_file", "the run's"),
        ("val_dataloader.dataset.pipeline.0.type", "figures"),
        ("test_evaluator.0.topk", "figures"),
        ("model.head.num_classes", "follows from the classes"),
        ("model.roi_head.bbox_head.0.num_classes", "follows from the classes"),
        ("model.data_preprocessor.mean", "the bundle"),
        ("model.data_preprocessor", "the bundle"),
        ("model.head.decoder.sigma", "the bundle"),
        ("model.test_cfg.flip_test", "the bundle"),
        ("model.backbone.init_cfg.checkpoint", "--weights"),
        ("model.backbone.pretrained", "--weights"),
        ("model.backbone.model_name", "--weights and --model"),
        ("model._delete_", "meaning of its own"),
        (f"{PIPELINE}.0.type", "the bundle"),
        ("train_dataloader.dataset.pipeline.0.type", "the run's"),
        (f"{PIPELINE}.1.scale", "--input-size"),
        (f"{PIPELINE}.5.encoder.sigma", "--input-size"),
        ("work_dir", "for each trial"),
        ("launcher", "for each trial"),
        ("load_from", "--weights"),
        ("resume", "--resume"),
        ("custom_imports.imports", "no code from outside"),
        ("custom_hooks.0.type", "hang on it"),
        ("default_hooks.checkpoint.type", "hang on it"),
        ("train_cfg.max_iters", "hang on it"),
        ("randomness.seed", "--seed"),
        ("model", "for each trial"),
        ("nonsense.x", "for each trial"),
    ],
)
def test_what_autommlab_sets_is_refused_with_the_reason(key: str, reason: str) -> None:
    assert reason in str(why_not_set(read_option(f"{key}=1")))


@pytest.mark.parametrize(
    "key",
    ["model.head.loss.loss_weight", "optim_wrapper.clip_grad.max_norm", "train_dataloader.num_workers",
     f"{PIPELINE}.2.prob", "env_cfg.cudnn_benchmark", "model.backbone.norm_eval",
     "model.bbox_head.assigner.topk", "model.backbone.use_checkpoint", "model.bbox_head.loss_cls.type"],
)  # fmt: skip
def test_the_rest_may_be_set(key: str) -> None:
    assert why_not_set(read_option(f"{key}=1")) is None


def test_problems_are_told_before_any_work_and_together() -> None:
    pairs = ["work_dir=/tmp", "model.head.loss.loss_weight=[1", "nothing"]
    line = ["--parse", str(EXAMPLES / "classify_animals.json"), *(word for p in pairs for word in ("--cfg-options", p))]
    for command in ("run", "compare"):
        done = CliRunner().invoke(app, [command, *line])
        assert isinstance(done.exception, RequestError), done.output
        for part in ("3 problems", "work_dir is not to be set", "do not match", "'nothing': it takes KEY=VALUE"):
            assert part in str(done.exception)


def test_several_pairs_may_follow_the_option_as_in_openmmlabs_tools() -> None:
    words = ["run", "x=1 in a photo", "--cfg-options", "model.a=1", "model.b.c=[1,2]", "--trials", "3"]
    assert one_a_word(words) == [
        "run", "x=1 in a photo", "--cfg-options", "model.a=1", "--cfg-options", "model.b.c=[1,2]", "--trials", "3",
    ]  # fmt: skip
    assert one_a_word(["--cfg-options", "model.a=1", "find cats"]) == ["--cfg-options", "model.a=1", "find cats"]


def test_a_run_keeps_its_overrides(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    options = RunOptions(text="x", cfg_options=("model.head.loss.loss_weight=0.5", "model.a=1"))
    folder.open(options)
    folder.close()
    assert folder.options() == options
    command = "autommlab run x --cfg-options model.head.loss.loss_weight=0.5 --cfg-options model.a=1"
    assert run_command(options) == command
    with pytest.raises(ResumeError, match="cfg_options: stored"):
        folder.open(RunOptions(text="x"), may_extend=True)


def with_options(setup: TrialSetup, *texts: str) -> TrialSetup:
    return setup.model_copy(update={"cfg_options": texts})


CLIP = ("optim_wrapper.clip_grad.max_norm=7", "optim_wrapper.clip_grad.norm_type=1")
#: Overrides, and what they are in the built Runner: a path of attributes, and the value.
BUILT: dict[Task, tuple[Sequence[str], dict[str, object]]] = {
    Task.CLASSIFICATION: (
        ("model.head.loss.type=LabelSmoothLoss", "model.head.loss.label_smooth_val=0.1", f"{PIPELINE}.2.prob=0.25"),
        {"head.loss_module.label_smooth_val": 0.1},
    ),
    Task.DETECTION: (
        ("model.bbox_head.loss_cls.alpha=0.3", "model.bbox_head.center_sample_radius=2.0", f"{PIPELINE}.3.prob=0.25"),
        {"bbox_head.loss_cls.alpha": 0.3, "bbox_head.center_sample_radius": 2.0},
    ),
    Task.SEGMENTATION: (
        ("model.decode_head.dropout_ratio=0.3", "model.decode_head.loss_decode.loss_weight=0.5",
         f"{PIPELINE}.3.prob=0.25"),
        {"decode_head.dropout.p": 0.3, "decode_head.loss_decode.loss_weight": 0.5},
    ),
    Task.KEYPOINT: (
        ("model.head.loss.loss_weight=2.0", f"{PIPELINE}.2.prob=0.25"),
        {"head.loss_module.loss_weight": 2.0},
    ),
}  # fmt: skip


@pytest.mark.parametrize("task", list(Task))
def test_they_are_in_the_built_runner_and_in_the_config_that_is_deployed(
    task: Task, tiny_setups: dict[Task, TrialSetup], tmp_path: Path
) -> None:
    from mmengine.config import Config
    from mmengine.registry import MODELS, DefaultScope

    from autommlab.training.cfg_check import check_against
    from autommlab.training.runner_config import runner_config
    from autommlab.training.trial import Trial

    texts, expected = BUILT[task]
    setup = tiny_setups[task]
    scope = setup.choice.entry.toolbox
    trial = Trial(with_options(setup, *texts, *CLIP), point(), tmp_path)
    try:
        plain = runner_config(setup, point(), work_dir=tmp_path, name="plain")
        check_against(plain, [read_option(text) for text in (*texts, *CLIP)], scope)
        stored = Config(parse_config(trial.config_text()), format_python_code=False)
        with DefaultScope.overwrite_default_scope(scope):
            deployed = MODELS.build(stored.model)
        for path, value in expected.items():
            assert attribute(trial.runner.model, path) == value
            assert attribute(deployed, path) == value
        wrapper = trial.runner.optim_wrapper
        assert (wrapper.clip_grad_kwargs["max_norm"], wrapper.clip_grad_kwargs["norm_type"]) == (7, 1)
        guarded = trial.runner.train_dataloader.dataset.pipeline.transforms[0]
        assert 0.25 in [getattr(step, "prob", None) for step in guarded._pipeline.transforms]
        assert (wrapper.optimizer.defaults["lr"], trial.readback["batch_size"]) == (point().lr, point().batch_size)
    finally:
        trial.close()


def attribute(node: Any, path: str) -> object:
    for name in path.split("."):
        node = getattr(node, name)
    return node


REFUSED = {
    "model.head.los.loss_weight=1": "unknown key of model.head 'los'. Did you mean 'loss'",
    "model.head.loss.weight=1": "unknown key of model.head.loss 'weight'. Did you mean 'loss_weight'",
    "model.head.loss=3": "it is a group; name one of its keys (type, loss_weight)",
    "model.head.loss.loss_weight.x=3": "model.head.loss.loss_weight is 1.0, which has no keys",
    "model.head.loss.type=os.system": "unknown type 'os.system'",
    "model.head.loss.type=subprocess.Popen": "no other code is run",
    "model.head.loss.type=LabelSmoothLos": "Did you mean 'LabelSmoothLoss'",
    "model.head.type=3": "unknown type '3'",
    f"{PIPELINE}.9.prob=0": f"{PIPELINE} is a list; it takes a number from 0 to 3",
    f"{PIPELINE}.x.prob=0": "is a list",
    f"{PIPELINE}=1": "it is a list of groups",
    "optim_wrapper.clip_grad.max_nor=1": "Did you mean 'max_norm'",
    "optim_wrapper.paramwise_cfg.norm_decay=0": "'norm_decay_mult'",
    "optim_wrapper.paramwise_cfg.custom_keys.backbone.lr=0": "'lr_mult'",
    "optim_wrapper.type=builtins.print": "unknown type",
}


def test_what_the_built_config_has_no_place_for_is_refused_with_near_names(
    tiny_setups: dict[Task, TrialSetup], tmp_path: Path
) -> None:
    from autommlab.training.cfg_check import check_against
    from autommlab.training.runner_config import runner_config

    config = runner_config(tiny_setups[Task.CLASSIFICATION], point(), work_dir=tmp_path, name="x")
    for text, message in REFUSED.items():
        with pytest.raises(RequestError) as caught:
            check_against(config, [read_option(text)], "mmpretrain")
        assert message in str(caught.value), text
    with pytest.raises(RequestError) as caught:
        check_against(config, [read_option(text) for text in REFUSED], "mmpretrain")
    assert str(caught.value).count("--cfg-options ") == len(REFUSED)
    good = [
        "optim_wrapper.paramwise_cfg.custom_keys.backbone.lr_mult=0.1",
        "optim_wrapper.paramwise_cfg.norm_decay_mult=0",
    ]
    check_against(config, [read_option(text) for text in good], "mmpretrain")


def test_the_changed_model_is_built_and_measured_before_training(tiny_setups: dict[Task, TrialSetup]) -> None:
    from autommlab.training.cfg_check import with_cfg_options

    setup = tiny_setups[Task.DETECTION]

    def tried(text: str, **limits: Any) -> Any:
        request = ModelRequest.parse({"data": {"object": ["red"]}, "model": {"task": "detection", **limits}})
        return with_cfg_options(setup.choice, request, setup.bag, [read_option(text)])

    deep = tried("model.bbox_head.stacked_convs=4")
    shallow = tried("model.bbox_head.stacked_convs=1")
    assert deep.measured.params_m > shallow.measured.params_m
    assert "stacked_convs=4" in deep.reasons[-1]
    assert deep.pretrained == setup.choice.pretrained
    with pytest.raises(ModelError, match=r"cannot be built with --cfg-options model\.bbox_head\.stacked_convs=deep"):
        tried("model.bbox_head.stacked_convs=deep")
    with pytest.raises(ModelError, match="over parameters under 1 M"):
        tried("model.bbox_head.stacked_convs=4", parameters={"value": 1, "unit": "M"})
