"""A finished model on a picture of the person's own, inside the studio's process."""

from __future__ import annotations

import base64
import tempfile
import threading
from pathlib import Path
from typing import Any

from autommlab.common.errors import DataError
from autommlab.deployment.drawing import answer_in_words
from autommlab.deployment.predicting import LoadedBundle, load_bundle, predict_files

#: Models that stay loaded.
_MOST_LOADED = 2
#: Things that are listed.
_MOST_ROWS = 20


class Models:
    """Bundles that were tried lately; one prediction at a time, as the engines use all cores for each."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loaded: dict[tuple[Path, int], LoadedBundle] = {}

    def predict(self, folder: Path, content: bytes, threshold: float) -> dict[str, Any]:
        """What the model sees.

        Args:
            folder: of the bundle.
            content: of a picture file.
            threshold: lowest score of a detection that is shown, 0 to 1.

        Returns:
            `words`, `drawn` (a PNG as data URI) and `rows` (name and score of each thing, the best first).

        Raises:
            DataError: the picture cannot be read.
            DeploymentError: the bundle is damaged, or its engine is missing.
        """
        with self._lock, tempfile.TemporaryDirectory(prefix="autommlab-try-") as scratch:
            picture = Path(scratch) / "picture"
            picture.write_bytes(content)
            bundle = self._bundle(folder)
            (result,) = predict_files(bundle, [picture], Path(scratch) / "out", threshold=threshold)
            if result.drawn is None:
                raise DataError(result.problem.replace(f"{picture}: ", ""))
            drawn = base64.b64encode(result.drawn.read_bytes()).decode("ascii")
        return {
            "words": answer_in_words(result.answer),
            "drawn": f"data:image/png;base64,{drawn}",
            "rows": rows_of(result.answer),
        }

    def task(self, folder: Path) -> str:
        """What kind of answers a model gives.

        Raises:
            DeploymentError: the bundle is damaged, or its engine is missing.
        """
        with self._lock:
            return self._bundle(folder).predictor.task

    def _bundle(self, folder: Path) -> LoadedBundle:
        key = folder, (folder / "bundle.json").stat().st_mtime_ns  # a run that went on has made another one
        if key not in self._loaded:
            while len(self._loaded) >= _MOST_LOADED:
                self._loaded.pop(next(iter(self._loaded)))
            self._loaded[key] = load_bundle(folder)
        return self._loaded[key]


def rows_of(answer: dict[str, Any]) -> list[tuple[str, str]]:
    """(name, score) of each thing in a prediction, the best first."""
    if "scores" in answer:
        found = answer["scores"].items()
    elif "classes" in answer:
        found = answer["classes"].items()
    else:
        found = [(thing["label"], thing["score"]) for thing in answer.get("boxes", answer.get("instances", []))]
    return [(name, f"{score:.1%}") for name, score in sorted(found, key=lambda pair: -pair[1])][:_MOST_ROWS]
