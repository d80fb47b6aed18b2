"""A finished bundle judged on annotated pictures: a record for programs and a page for people."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from autommlab.analysis.analyse import analyse, split_to_judge
from autommlab.analysis.limits import MOST_PICTURES
from autommlab.analysis.records import Analysis
from autommlab.common.errors import DataError, RequestError
from autommlab.common.files import write_text
from autommlab.data.evaluation_set import ALL, EvaluationSet, evaluation_set
from autommlab.data.records import SPLITS, Bag
from autommlab.deployment.predicting import LoadedBundle, load_bundle
from autommlab.report.analysis_view import MISTAKES, WORST, view_of
from autommlab.report.gallery import mistake_pictures
from autommlab.report.render import filled, moment
from autommlab.storage.run_folder import RunFolder


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What an evaluation found, and its two files."""

    found: Analysis
    record: Path
    page: Path


def evaluate(
    bundle: Path, out: Path, *, data: str | None = None, split: str | None = None, images: int = MOST_PICTURES
) -> Evaluation:
    """Judge a bundle and write `analysis.json` and `evaluation.html`.

    Args:
        bundle: its folder, or the run that it belongs to.
        out: folder of the two files.
        data: name or folder of a data set; None = the pictures of the run that the bundle lies in.
        split: train, val, test or, of a data set, all; None = test, else val, else all.
        images: most pictures, spread evenly over the split.

    Raises:
        DeploymentError: there is no bundle, or it cannot start.
        RequestError: no such split, or neither a data set is given nor does the bundle lie in a run.
        DataError: no such data set, or none of its pictures fits the bundle.
        StorageError: `out` cannot be written.
    """
    if split not in (None, *SPLITS, ALL):
        raise RequestError(f"no split {split!r}; give {', '.join(SPLITS)} or {ALL} with --split")
    if not (bundle / "bundle.json").exists() and (bundle / "bundle").is_dir():
        bundle = bundle / "bundle"
    loaded = load_bundle(bundle)
    with _pictures(loaded, data, split, images) as chosen:
        bag, predictor = chosen.bag, loaded.predictor
        found = analyse(bag, predictor, split=chosen.split, images=images, name=chosen.name, notes=chosen.notes)
        mistakes, worst = (
            mistake_pictures(judged, bag, chosen.split, predictor)
            for judged in (found.mistakes(MISTAKES), found.worst(WORST))
        )
        title = f"{loaded.meta.get('model') or 'A bundle'} on {', '.join(bag.datasets)}"
        page = filled(
            "evaluation.html.j2", title=title, shown=view_of(found, mistakes, worst), written=moment(time.time())
        )
    record = write_text(out / "analysis.json", found.model_dump_json(indent=1))
    return Evaluation(found, record, write_text(out / "evaluation.html", page))


@contextmanager
def _pictures(loaded: LoadedBundle, data: str | None, split: str | None, images: int) -> Iterator[EvaluationSet]:
    """The annotated pictures, with lists that last as long as the block."""
    if data is None:
        yield _own_pictures(loaded, split)
        return
    with tempfile.TemporaryDirectory(prefix="autommlab-evaluate-") as scratch:
        yield evaluation_set(data, loaded.meta, Path(scratch), split=split, images=images)


def _own_pictures(loaded: LoadedBundle, split: str | None) -> EvaluationSet:
    """Those of the run that the bundle lies in."""
    run = RunFolder(loaded.folder.resolve().parent)
    bag = run.read("bag", Bag)
    if bag is None:
        raise RequestError(f"{loaded.folder} does not lie in a run: say with --data on which pictures to judge it")
    if list(bag.classes) != loaded.meta["classes"]:
        raise DataError(f"the bundle {loaded.folder} has other classes than the data of its run; give --data")
    chosen = next((name for name in SPLITS if name == split), None if split else split_to_judge(bag))
    if chosen is None or chosen not in bag.splits:
        raise RequestError(
            f"the run has the splits {', '.join(bag.splits)}, not {split}; give one of them with --split"
        )
    return EvaluationSet(bag, chosen, chosen, ())
