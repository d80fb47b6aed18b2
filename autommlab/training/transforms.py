"""Transforms that the toolboxes lack: pictures read as a bundle reads them, and samples that fail without a trial.

Import only after `autommlab.compat.import_toolboxes`.
"""

from __future__ import annotations

import fcntl
import json
import os
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform, Compose
from mmengine.registry import TRANSFORMS
from PIL import Image

from autommlab.bundle_runtime import pictures
from autommlab.common.errors import DataError
from autommlab.training.failures import DISK_ERRNOS

#: Key of a sample whose picture is to be blank.
_BLANK = "blank_picture"
_BLANK_SIZE = (64, 64)
_SHOWN_FILES = 3

Results = dict[str, Any]


@TRANSFORMS.register_module(force=True)
class LoadPicture(BaseTransform):
    """`img` of a sample from its `img_path`, BGR as all toolboxes have it.

    Args:
        bits, white: of the bag, see `pictures.Depth`.
    """

    def __init__(self, bits: int, white: float) -> None:
        self._depth = pictures.Depth(bits, white)

    def transform(self, results: Results) -> Results:
        """Add `img`, `img_shape` and `ori_shape` (height, width)."""
        blank = results.pop(_BLANK, None)
        picture = Image.new("RGB", blank, "gray") if blank else pictures.read(results["img_path"], *self._depth)
        results["img"] = np.ascontiguousarray(np.asarray(picture)[..., ::-1])
        results["img_shape"] = results["ori_shape"] = results["img"].shape[:2]
        return results


@TRANSFORMS.register_module(force=True)
class SkipBroken(BaseTransform):
    """A whole pipeline whose broken samples do not end the trial, up to a number of files.

    A training sample that fails is replaced by another one. An evaluation sample gets a blank picture, so that the
    model is wrong about it and every figure is still over the whole split.

    Args:
        transforms: of the pipeline.
        allowed: most files that may fail.
        split: for messages.
        training: whether another sample may take the place.

    """

    def __init__(self, transforms: list[Results], allowed: int, split: str, training: bool) -> None:
        self._pipeline = Compose(transforms)
        self._allowed, self._split, self._training = allowed, split, training
        self._notes = _Notes()

    @property
    def skipped(self) -> dict[str, str]:
        """File -> why it failed, in any loading process."""
        return self._notes.read()

    def transform(self, results: Results) -> Results | None:
        """The transformed sample; None where another one has to take its place.

        Raises:
            DataError: too many files have failed; names the first.
        """
        given = dict(results)
        try:
            return self._transformed(results)
        except Exception as error:  # a toolbox's transform may fail in any way on an odd picture
            self._note(str(given["img_path"]), error)
        if self._training:
            return None
        return self._transformed({**given, _BLANK: _blank_size(given)})

    def _transformed(self, results: Results) -> Results:
        transformed: Results = self._pipeline(results)
        return transformed

    def _note(self, file: str, error: Exception) -> None:
        if isinstance(error, MemoryError):
            raise error
        cause = error.__cause__
        if isinstance(cause, OSError) and cause.errno in DISK_ERRNOS:
            raise cause  # the machine fails, not the file
        why = error.what if isinstance(error, pictures.PictureError) else f"{type(error).__name__}: {error}"
        self._notes.add(file, why.splitlines()[0])
        skipped = self.skipped
        if len(skipped) > self._allowed:
            files = "; ".join(f"{name}: {text}" for name, text in list(skipped.items())[:_SHOWN_FILES])
            raise DataError(
                f"{len(skipped)} {self._split} images cannot be used, {self._allowed} may fail: {files}. "
                "Mend or delete them and select the data again."
            ) from error


class _Notes:
    """File -> reason, written by every loading process: a file in memory, which processes that are forked share."""

    def __init__(self) -> None:
        self._file = os.fdopen(os.memfd_create("skipped"), "r+b", buffering=0)
        fcntl.fcntl(self._file, fcntl.F_SETFL, os.O_APPEND)

    def add(self, file: str, why: str) -> None:
        """The first reason for a file counts."""
        self._file.write(json.dumps([file, why]).encode() + b"\n")

    def read(self) -> dict[str, str]:
        """All that was added."""
        told = os.pread(self._file.fileno(), os.fstat(self._file.fileno()).st_size, 0)
        notes: dict[str, str] = {}
        for line in told.splitlines():
            notes.setdefault(*json.loads(line))
        return notes


def _blank_size(results: Results) -> tuple[int, int]:
    """(width, height) that the sample's annotation fits."""
    if mask := results.get("seg_map_path"):
        return pictures.size(mask)
    return results.get("width", _BLANK_SIZE[0]), results.get("height", _BLANK_SIZE[1])


def skipped_samples(*loaders: Any) -> tuple[tuple[str, str], ...]:
    """(file, reason) of the samples that failed in a trial's loaders so far."""
    pipelines = [loader.dataset.pipeline.transforms for loader in loaders]
    guards = [step for steps in pipelines for step in steps if isinstance(step, SkipBroken)]
    return tuple(pair for guard in guards for pair in guard.skipped.items())
