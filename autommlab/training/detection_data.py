"""mmdetection's COCO data set over mapped annotations. Import only after `autommlab.compat.import_toolboxes`."""

from __future__ import annotations

from pathlib import Path

from mmdet.datasets import CocoDataset
from mmdet.registry import DATASETS

from autommlab.data.bag_objects import MappedImages

#: Annotations of fewer bytes are parsed in less time than a person notices.
LEAST_BYTES = 4 << 20


@DATASETS.register_module(force=True)
class BagDetectionDataset(CocoDataset):
    """Images and boxes from a bag's COCO JSON; of a large one mapped, so that processes neither parse nor hold it."""

    _fully_initialized: bool

    def full_init(self) -> None:
        """Map the annotations, or read them as mmdetection does where they are few or its filters are asked for."""
        if self._fully_initialized:
            return
        annotations = Path(self.ann_file)
        if self.filter_cfg or self._indices is not None or annotations.stat().st_size < LEAST_BYTES:
            super().full_init()
            return
        try:
            self.data_list = MappedImages(annotations)
        except OSError:  # a disk that cannot be written
            super().full_init()
            return
        self.cat_ids = [label + 1 for label in range(len(self.metainfo["classes"]))]
        self.cat2label = {category: label for label, category in enumerate(self.cat_ids)}
        self.serialize_data = False  # nothing has to be kept from being copied
        self._fully_initialized = True
