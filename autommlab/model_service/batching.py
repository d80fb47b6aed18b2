"""Several pictures in one call of the engine, where its graph takes them and the figures stay the same to the bit."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autommlab.bundle_runtime import Predictor
from autommlab.bundle_runtime.sessions import Session, open_session

logger = logging.getLogger(__name__)

Outputs = list[NDArray[Any]]


class Batches:
    """An engine that takes 1, 2, 4 ... pictures in one call: a session for each, for static shapes are the fastest.

    Args:
        sessions: by the number of pictures, 1 among them.
    """

    def __init__(self, sessions: dict[int, Session]) -> None:
        self._sessions = dict(sorted(sessions.items(), reverse=True))

    @property
    def most(self) -> int:
        """Pictures of one call."""
        return max(self._sessions)

    def __call__(self, tensors: Sequence[NDArray[np.float32]]) -> list[Outputs]:
        """The outputs of each (1, 3, height, width) tensor, as if it were alone."""
        found: list[Outputs] = []
        while len(found) < len(tensors):
            left = tensors[len(found) :]
            size = next(size for size in self._sessions if size <= len(left))
            outputs = self._sessions[size](np.concatenate(left[:size]))
            found += [[output[index : index + 1] for output in outputs] for index in range(size)]
        return found


def batches_of(predictor: Predictor, most: int, threads: int | None = None) -> Batches:
    """The batches that a bundle's model takes, of `most` pictures at most; of 1 where it takes none.

    Only ONNX Runtime's graphs are tried: set to more pictures, kept if random ones give the same outputs to the bit.
    """
    sessions: dict[int, Session] = {1: predictor.session}
    size = 2
    while size <= most and predictor.info["engine"] == "onnxruntime":
        session = _session_of(predictor, size, threads)
        if session is None or not _same(predictor, session, size):
            break
        sessions[size] = session
        size *= 2
    return Batches(sessions)


def _session_of(predictor: Predictor, size: int, threads: int | None) -> Session | None:
    import tempfile

    import onnx

    model = onnx.load(predictor.folder / predictor.info["files"][0])
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = size
    del model.graph.value_info[:]
    with tempfile.TemporaryDirectory(prefix="autommlab-batch-") as folder:
        onnx.save(model, Path(folder) / predictor.info["files"][0])
        try:
            return open_session(Path(folder), predictor.info, threads)
        except Exception as error:  # a graph that is made for one picture
            logger.info("%s takes no batch of %d: %s", predictor.folder, size, error)
            return None


def _same(predictor: Predictor, session: Session, size: int) -> bool:
    _, *shape = predictor.info["input"]["tensor"]
    pictures = np.random.default_rng(0).normal(size=(size, *shape)).astype(np.float32)
    try:
        together = session(pictures)
        alone = [predictor.session(pictures[index : index + 1]) for index in range(size)]
    except Exception as error:
        logger.info("%s computes no batch of %d: %s", predictor.folder, size, error)
        return False
    return all(
        output.shape[:1] == (size,) and all(np.array_equal(output[i : i + 1], alone[i][k]) for i in range(size))
        for k, output in enumerate(together)
    )
