"""One process that predicts picture after picture as a bundle's `predict.py --json` does, from file to JSON.

Run by `autommlab bench serve-model` as `python -m autommlab.speed.one_process BUNDLE PICTURE SECONDS`.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

_WARM_UP = 5


def main(bundle: Path, picture: Path, seconds: float) -> None:
    """Print the seconds of each prediction, and the CPU seconds of all of them, as JSON."""
    from autommlab.bundle_runtime import Predictor

    predictor = Predictor(bundle)
    taken: list[float] = []
    end, cpu = time.perf_counter() + seconds, time.process_time()
    while len(taken) <= _WARM_UP or time.perf_counter() < end:
        if len(taken) == _WARM_UP:
            end, cpu = time.perf_counter() + seconds, time.process_time()
        begun = time.perf_counter()
        answer = predictor(picture)
        json.dumps({key: value for key, value in answer.items() if key != "mask"})
        taken.append(time.perf_counter() - begun)
    print(json.dumps({"taken": taken[_WARM_UP:], "cpu_s": time.process_time() - cpu}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3]))
