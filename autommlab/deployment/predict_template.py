#!/usr/bin/env python3
"""Predict with this bundle. Needs only what requirements.txt lists: the engine, numpy and Pillow.

As a program: python predict.py IMAGE... [--json] [--threshold 0.3] [--box x,y,w,h] [--bench 50]
As a module:  from predict import Predictor; answer = Predictor(".")("photo.jpg")
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER))
try:
    from bundle_runtime import BundleError, Predictor
except ImportError as missing:
    sys.exit(f"this bundle cannot start ({missing}): pip install -r {FOLDER / 'requirements.txt'}")

_WARM_UP = 5


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns its exit code."""
    options = _options().parse_args(arguments)
    try:
        predictor = Predictor(FOLDER)
        if options.bench:
            print(json.dumps(bench(predictor, options.images[0], options.bench)))
            return 0
        return _predict_all(predictor, options)
    except BundleError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except OSError as error:  # of the folder for masks; unreadable images are told as such
        print(f"error: {error.filename} cannot be written ({error.strerror})", file=sys.stderr)
        return 2


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Predict with this bundle.")
    parser.add_argument("images", nargs="+", metavar="IMAGE", help="image files")
    parser.add_argument("--json", action="store_true", help="one JSON object per image")
    parser.add_argument("--threshold", type=_fraction, default=0.3, help="lowest score of a detection (default 0.3)")
    parser.add_argument(
        "--box", type=_box, action="append", metavar="X,Y,W,H", help="object for keypoints, pixels; repeatable"
    )
    parser.add_argument("--masks", type=Path, metavar="FOLDER", help="save segmentation masks here as PNG")
    parser.add_argument("--bench", type=_count, metavar="N", help="time N predictions of the first image, print JSON")
    return parser


def _fraction(text: str) -> float:
    number = float(text)
    if not 0 <= number <= 1:  # false for NaN, too
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 0 to 1")
    return number


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number above 0")
    return number


def _box(text: str) -> list[float]:
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) != 4:
        raise argparse.ArgumentTypeError(f"{text!r} is not x,y,width,height, for example 10,20,100,200")
    return numbers


def _predict_all(predictor: Predictor, options: argparse.Namespace) -> int:
    failed = 0
    taken: set[str] = set()
    for path in options.images:
        try:
            answer = predictor(path, threshold=options.threshold, boxes=options.box)
        except BundleError as error:
            print(f"error: {error}", file=sys.stderr)
            failed = 2
            continue
        mask = answer.pop("mask", None)
        if mask is not None and options.masks:
            answer["mask_file"] = _save_mask(mask, options.masks / f"{_free_name(Path(path).stem, taken)}.png")
        print(json.dumps({"image": path, **answer}) if options.json else _printable(f"{path}: {_in_words(answer)}"))
    return failed


def _free_name(stem: str, taken: set[str]) -> str:
    """`stem`, numbered if an image of the same name in another folder came before."""
    name, number = stem, 1
    while name in taken:
        number += 1
        name = f"{stem}-{number}"
    taken.add(name)
    return name


def _printable(text: str) -> str:
    """A terminal obeys control characters; names of classes and files may hold some."""
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)


def _save_mask(mask: Any, path: Path) -> str:
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(mask).save(path)
    return str(path)


def _in_words(answer: dict[str, Any]) -> str:
    if "label" in answer:
        return f"{answer['label']} {answer['score']:.2f}"
    if "classes" in answer:
        return ", ".join(f"{name} {share:.1%}" for name, share in answer["classes"].items() if share)
    if "boxes" in answer:
        found = [f"{b['label']} {b['score']:.2f} at {[round(v) for v in b['box']]}" for b in answer["boxes"]]
        return "; ".join(found) or "nothing found"
    return "; ".join(
        f"{i['label']} {i['score']:.2f}: {[[round(x), round(y)] for x, y, _ in i['keypoints']]}"
        for i in answer["instances"]
    )


def bench(predictor: Predictor, image: str, runs: int) -> dict[str, float]:
    """Latency of one image on this machine, and the memory of this process.

    Returns:
        `p50_ms`, `p95_ms` of the engine alone, `end_to_end_p50_ms` from file to answer, in
        milliseconds, and `memory_mb`, the most resident memory so far.
    """
    tensor = predictor.prepare(image).tensor
    engine = _times(lambda: predictor.run(tensor), runs)
    whole = _times(lambda: predictor(image), runs)
    return {
        "p50_ms": _percentile(engine, 0.50),
        "p95_ms": _percentile(engine, 0.95),
        "end_to_end_p50_ms": _percentile(whole, 0.50),
        "memory_mb": _peak_memory_mb(),
    }


def _times(work: Callable[[], object], runs: int) -> list[float]:
    """Sorted milliseconds of `runs` calls after a warm-up."""
    for _ in range(_WARM_UP):
        work()
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        work()
        times.append((time.perf_counter() - start) * 1e3)
    return sorted(times)


def _percentile(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def _peak_memory_mb() -> float:
    """From the kernel's high-water mark; getrusage would count what the parent process held."""
    status = Path("/proc/self/status")
    if status.is_file():
        for line in status.read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    sys.exit(main())
