"""Each repair is still needed (the failure comes back without it) and works."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass

import pytest

from autommlab.compat import REPAIRS


@dataclass(frozen=True)
class Case:
    """A program that fails without its repair.

    Attributes:
        code: the program.
        symptom: part of what it says on standard error without the repair.
    """

    code: str
    symptom: str


CASES = {
    "mmpretrain-multimodal": Case("import mmpretrain.models", "mmpretrain/models/multimodal"),
    "checkpoints-as-tensors": Case(
        """
import pickle, sys, tempfile
from mmengine.runner import CheckpointLoader
class Payload:
    def __reduce__(self):
        return exec, ("import sys; sys.ran = True",)
with tempfile.NamedTemporaryFile(suffix=".pth") as file:
    file.write(pickle.dumps(Payload()))
    file.flush()
    try:
        CheckpointLoader.load_checkpoint(file.name)
    except Exception:
        pass
assert not hasattr(sys, "ran"), "the checkpoint ran code"
""",
        "the checkpoint ran code",
    ),
    "onnx-by-tracing": Case(
        """
import io, torch
result = torch.onnx.export(torch.nn.Linear(2, 2), (torch.zeros(1, 2),), io.BytesIO(), input_names=["x"])
assert result is None, f"exported by {type(result).__name__}, not by tracing"
""",
        "not by tracing",
    ),
    "onnx-cast-long": Case("from torch.onnx.symbolic_opset9 import _cast_Long", "cannot import name '_cast_Long'"),
    "ssd-loss-cls": Case(
        """
from autommlab.compat import apply_repairs
apply_repairs()
import mmdet.models, torch
from mmdet.registry import MODELS
from mmengine.config import ConfigDict
anchors = dict(type="SSDAnchorGenerator", scale_major=False, input_size=32, strides=[8], ratios=[[2]],
               min_sizes=[8], max_sizes=[16])
limits = ConfigDict(nms_pre=10, nms=dict(type="nms", iou_threshold=0.5), min_bbox_size=0, score_thr=0.0, max_per_img=5)
head = MODELS.build(dict(type="SSDHead", num_classes=2, in_channels=(8,), anchor_generator=anchors, test_cfg=limits))
figures = head((torch.zeros(1, 8, 4, 4),))
head.predict_by_feat(*figures, batch_img_metas=[dict(img_shape=(32, 32), scale_factor=(1, 1))])
""",
        "no attribute 'loss_cls'",
    ),
    "mmdet-lanes": Case(
        """
import sys
import mmdet.datasets
assert "imgaug" not in sys.modules, "imgaug came along"
""",
        "imgaug came along",
    ),
    "paa-mixture": Case(
        """
from autommlab.compat import apply_repairs, light_imports
apply_repairs()
with light_imports():
    from mmdet.models.dense_heads import paa_head
assert paa_head.skm is not None, "PAA has no mixtures"
paa_head.skm.GaussianMixture(2)
""",
        "PAA has no mixtures",
    ),
    "mmdeploy-static-methods": Case(
        """
from autommlab.compat import apply_repairs
apply_repairs()
import inspect
from mmdeploy.codebase import import_codebase
from mmdeploy.utils import Codebase
import_codebase(Codebase("mmpretrain"))
from mmdeploy.core import RewriterContext
from mmpretrain.models.utils import ShiftWindowMSA
with RewriterContext({"backend_config": {"type": "onnxruntime"}}, backend="onnxruntime"):
    pass
kept = inspect.getattr_static(ShiftWindowMSA, "get_attn_mask")
assert isinstance(kept, staticmethod), "a plain method came back"
""",
        "a plain method came back",
    ),
}
_REPAIR = """
from autommlab.compat import REPAIRS, apply_repairs, light_imports
repair = next(r for r in REPAIRS if r.name == {name!r})
if repair.toolbox:  # it needs the toolbox imported, which needs the others
    apply_repairs()
with light_imports():
    repair.apply()
"""


def test_every_repair_has_a_reason_and_a_case() -> None:
    assert {repair.name for repair in REPAIRS} == set(CASES)
    assert all(len(repair.reason) > 20 for repair in REPAIRS)


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("name", CASES)
def test_fails_without_the_repair(name: str) -> None:
    done = run(CASES[name].code)
    assert done.returncode != 0, "no longer needed: take the repair out"
    assert CASES[name].symptom in done.stderr


@pytest.mark.slow
def test_all_work_with_the_repairs() -> None:
    """In one process, as in a trial; the toolboxes take most of the seconds."""
    programs = "\n".join(f"exec({case.code!r}, {{}})" for case in CASES.values())
    repaired = "from autommlab.compat import *\nimport_toolboxes()\napply_repairs('mmdeploy')\n"
    done = run(repaired + programs)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("name", CASES)
def test_works_with_the_repair(name: str) -> None:
    done = run(_REPAIR.format(name=name) + CASES[name].code)
    assert done.returncode == 0, done.stderr


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


@pytest.mark.slow
@pytest.mark.parametrize("first", ["autommlab.training.trial", "autommlab.deployment.trained"])
def test_workers_import_only_what_training_needs_and_others_still_get_the_rest(first: str) -> None:
    code = f"""
import importlib, sys
importlib.import_module({first!r})
from autommlab.compat import import_toolboxes
import_toolboxes()
heavy = sorted({{"transformers", "peft", "sklearn", "numba"}} & {{*sys.modules}})
assert not heavy, f"these take a third of every worker's start: {{heavy}}"
import transformers
from mmengine.registry import OPTIMIZERS
assert "AdamW" in OPTIMIZERS
"""
    done = run(code)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_a_ray_that_is_already_imported_does_not_follow_uv_run() -> None:
    code = """
import ray
from ray._private import ray_constants
from autommlab.common.private_ray import prepare_ray_environment
assert ray_constants.RAY_ENABLE_UV_RUN_RUNTIME_ENV, "Ray's default changed: the repair can go"
prepare_ray_environment()
assert not ray_constants.RAY_ENABLE_UV_RUN_RUNTIME_ENV
"""
    environment = {k: v for k, v in os.environ.items() if k != "RAY_ENABLE_UV_RUN_RUNTIME_ENV"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
