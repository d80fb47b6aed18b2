"""A weights file is held against the model that is to take it."""

from __future__ import annotations

from pathlib import Path

import pytest

from autommlab.common.errors import ModelError
from autommlab.data.records import Bag
from autommlab.models import weights_fit, zoo
from autommlab.models.config import build_model, model_config
from autommlab.models.records import ModelEntry, Pretrained
from autommlab.models.weights_fit import with_fit
from autommlab.tasks import Task

pytestmark = pytest.mark.slow

SIZE = (64, 64)


def bag(classes: tuple[str, ...]) -> Bag:
    return Bag(
        task=Task.CLASSIFICATION, folder=Path("x"), classes=classes, sources={}, datasets=("x",), splits={},
        median_size=SIZE, seed=0, digest="",
    )  # fmt: skip


def saved(entry: ModelEntry, classes: tuple[str, ...], file: Path, prefix: str = "") -> Pretrained:
    import torch

    config = model_config(entry, classes=classes, keypoints=None, input_size=SIZE, pretrained=None)
    state = {prefix + name: value for name, value in build_model(config, name=entry.name).state_dict().items()}
    torch.save({"state_dict": state, "meta": {}}, file)
    return Pretrained(kind="file", source=str(file))


def test_a_file_of_the_model_fits_and_one_of_another_is_an_error(tmp_path: Path) -> None:
    import torch

    own = zoo.entry("resnet18_8xb32_in1k", Task.CLASSIFICATION)
    other = zoo.entry("mobilenet-v2_8xb32_in1k", Task.CLASSIFICATION)
    ten = tuple(map(str, range(10)))
    for prefix in ("", "module."):
        file = saved(own, ten, tmp_path / "own.pth", prefix)
        whole = with_fit(file, own, bag(ten), SIZE).fit
        assert whole.split()[0] == whole.split()[2], whole
        fewer = with_fit(file, own, bag(("a", "b")), SIZE).fit
        assert int(fewer.split()[0]) == int(whole.split()[0]) - 2, "all but the head"
    with pytest.raises(ModelError, match=r"of another architecture: \d+ of \d+ tensors .* --model"):
        with_fit(file, other, bag(ten), SIZE)
    torch.save([torch.zeros(3)], tmp_path / "list.pth")
    with pytest.raises(ModelError, match="another architecture: 0 of"):
        with_fit(Pretrained(kind="file", source=str(tmp_path / "list.pth")), own, bag(ten), SIZE)


def test_weights_of_a_package_and_by_url_tell_it_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packaged = zoo.entry("efficientnet-lite0_packaged", Task.CLASSIFICATION)
    carried = with_fit(Pretrained(kind="package", source=packaged.packaged), packaged, bag(("a", "b")), SIZE)
    taken, _, wanted, *_ = carried.fit.split()
    assert 0 < int(taken) == int(wanted) - 2, "all but the head"

    entry = zoo.entry("resnet18_8xb32_in1k", Task.CLASSIFICATION)
    file = saved(entry, ("a", "b"), tmp_path / "own.pth")
    monkeypatch.setattr(weights_fit, "fetched", lambda *_: Path(file.source))  # no network in a test
    fetched = with_fit(Pretrained(kind="url", source=entry.weights_url), entry, bag(("a", "b")), SIZE)
    assert fetched.fit.split()[0] == fetched.fit.split()[2]
