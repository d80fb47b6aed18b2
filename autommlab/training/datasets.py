"""Data sets that the toolboxes lack: segmentation pairs.

Import only after `autommlab.compat.import_toolboxes`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmseg.datasets import BaseSegDataset
from mmseg.registry import DATASETS

from autommlab.data.mask_lists import read_pairs


@DATASETS.register_module()
class BagSegmentationDataset(BaseSegDataset):
    """Images and index masks from a bag's annotation file, one "IMAGE<tab>MASK" a line."""

    def load_data_list(self) -> list[dict[str, Any]]:
        """One dict per pair in the form that mmseg's transforms expect."""
        return [
            {
                "img_path": image,
                "seg_map_path": mask,
                "label_map": None,
                "reduce_zero_label": False,
                "seg_fields": [],
            }
            for image, mask in read_pairs(Path(self.ann_file))
        ]
