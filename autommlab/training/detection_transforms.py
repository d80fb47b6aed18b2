"""mmdetection's resize, with the rounding of a bundle. Import only after `autommlab.compat.import_toolboxes`."""

from __future__ import annotations

from typing import Any

import mmcv
from mmdet.datasets.transforms import Resize
from mmdet.registry import TRANSFORMS

from autommlab.bundle_runtime.images import fitting


@TRANSFORMS.register_module(force=True)
class FitInside(Resize):
    """Largest size of the same aspect ratio inside `scale`; a side of a narrow image stays at least a pixel wide."""

    def _resize_img(self, results: dict[str, Any]) -> None:
        height, width = results["img"].shape[:2]
        size = fitting((width, height), results["scale"])
        results["img"] = mmcv.imresize(results["img"], size, interpolation=self.interpolation, backend=self.backend)
        results["img_shape"] = results["img"].shape[:2]
        results["scale_factor"] = (size[0] / width, size[1] / height)
        results["keep_ratio"] = True
