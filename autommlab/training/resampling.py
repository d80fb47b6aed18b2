"""How far a figure on a split is chance: the bootstrap over its pictures, without another forward pass.

Each class here holds what one task's figures need of every picture and works them out for any weights of the
pictures: all ones give the toolbox's own figures, a resample counts each picture as often as it was drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from autommlab.training.records import Interval

#: Of an interval, and of each trial's score on VAL, where only one comparison hangs on them.
RESAMPLES, TRIAL_RESAMPLES = 1000, 200
LEVEL = 0.95
#: Normal quantile of `LEVEL`.
_Z = 1.959964
_SEED = 0
#: Numbers that one step may hold, against memory.
_AT_ONCE = 4_000_000

Numbers = NDArray[Any]


class PictureStatistics(Protocol):
    """What the figures of a split need of each of its pictures."""

    @property
    def pictures(self) -> int:
        """How many there are."""

    def figures(self, weights: Numbers) -> dict[str, Numbers]:
        """Canonical figure -> (draws,) fractions.

        Args:
            weights: (draws, pictures), how often each picture counts.
        """


def draws(pictures: int, count: int) -> Iterator[Numbers]:
    """How often each picture is in each of `count` resamples, (some draws, pictures) at a time; always the same."""
    random = np.random.default_rng(_SEED)
    step = max(1, _AT_ONCE // pictures)
    for start in range(0, count, step):
        drawn = random.integers(0, pictures, (min(step, count - start), pictures))
        yield np.stack([np.bincount(one, minlength=pictures) for one in drawn]).astype(float)


def resampled_figures(statistics: PictureStatistics, count: int) -> dict[str, Numbers]:
    """Canonical figure -> (count,) its values on resamples of the pictures."""
    parts = [statistics.figures(weights) for weights in draws(statistics.pictures, count)]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def intervals(statistics: PictureStatistics, figures: Mapping[str, float]) -> dict[str, Interval]:
    """The 95 % interval of each figure that the statistics give.

    Percentiles of the resamples, widened to hold the figure itself. Where every resample gives the same value, as with
    no wrong picture at all, the bootstrap knows no chance; Wilson's bound for so many pictures takes its place.

    Args:
        statistics: of the split.
        figures: as measured by the toolbox.
    """
    found = {}
    count = statistics.pictures
    for name, values in resampled_figures(statistics, RESAMPLES).items():
        if name not in figures or not np.isfinite(values).any():
            continue
        point = figures[name]
        low, high = np.nanquantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        if np.ptp(values[np.isfinite(values)]) < 1e-9:
            chance = _Z**2 / (count + _Z**2)
            low, high = point * (1 - chance), point + (1 - min(point, 1)) * chance
        found[name] = Interval(low=min(float(low), point), high=max(float(high), point), pictures=count)
    return found


def resampled_scores(statistics: PictureStatistics, score: Callable[[Mapping[str, float]], float]) -> tuple[float, ...]:
    """A trial's score on each resample of VAL.

    Trials of one study see the same draws, so that their scores can be compared draw by draw.

    Args:
        statistics: of VAL.
        score: of a trial with these figures.
    """
    figures = resampled_figures(statistics, TRIAL_RESAMPLES)
    columns = zip(*figures.values(), strict=True)
    each = (dict(zip(figures, map(float, column), strict=True)) for column in columns)
    return tuple(round(score({name: v for name, v in one.items() if np.isfinite(v)}), 5) for one in each)


class ClassifiedPictures:
    """Classification: accuracy, top-5 accuracy, and precision, recall and F1 as means over classes.

    Args:
        ranked: (pictures, k) best classes, the first one first.
        truth: (pictures,) classes.
        classes: how many there are.
    """

    def __init__(self, ranked: Numbers, truth: Numbers, classes: int) -> None:
        self._right = ranked == truth[:, None]
        self._said, self._true, self._classes = ranked[:, 0], truth, classes

    @property
    def pictures(self) -> int:
        """How many there are."""
        return len(self._true)

    def figures(self, weights: Numbers) -> dict[str, Numbers]:
        """See `PictureStatistics`."""
        total = weights.sum(axis=1)
        said, true = self._counted(self._said, weights), self._counted(self._true, weights)
        right = self._counted(self._true, weights * self._right[:, 0])
        precision, recall = right / np.maximum(said, 1), right / np.maximum(true, 1)
        f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
        # A class that a resample has lost says nothing; one that the split lacks counts 0, as in the toolbox.
        there = (true > 0) | (np.bincount(self._true, minlength=self._classes) == 0)
        found = {"accuracy": weights @ self._right[:, 0] / total}
        if self._right.shape[1] >= 5:
            found["top-5 accuracy"] = weights @ self._right.any(axis=1) / total
        for name, by_class in {"precision": precision, "recall": recall, "F1": f1}.items():
            found[name] = (by_class * there).sum(axis=1) / there.sum(axis=1)
        return found

    def _counted(self, labels: Numbers, weights: Numbers) -> Numbers:
        """(draws, classes) how often each class is among the labels."""
        return np.stack([np.bincount(labels, weights=row, minlength=self._classes) for row in weights])


class SegmentedPictures:
    """Segmentation: mIoU, Dice coefficient and pixel accuracy.

    Args:
        common, union, said, true: (pictures, classes) pixels.
    """

    def __init__(self, common: Numbers, union: Numbers, said: Numbers, true: Numbers) -> None:
        self._common, self._union, self._said, self._true = common, union, said, true

    @property
    def pictures(self) -> int:
        """How many there are."""
        return len(self._common)

    def figures(self, weights: Numbers) -> dict[str, Numbers]:
        """See `PictureStatistics`."""
        common, union, said, true = (weights @ part for part in (self._common, self._union, self._said, self._true))
        return {
            "mIoU": _mean_where(union > 0, common, union),
            "Dice coefficient": _mean_where(said + true > 0, 2 * common, said + true),
            "pixel accuracy": _ratio(common.sum(axis=1), true.sum(axis=1)),
        }


class PosedPictures:
    """Keypoints: PCK, AUC and NME of the points, beside the COCO figures of the instances.

    Args:
        picture: (instances,) index of each instance's picture.
        distance: (instances, points) from prediction to truth, in pixels; NaN where there is no truth.
        size: (instances,) longer side of the box, pixels.
        threshold: of PCK, as a fraction of `size`.
        auc: pixels at the upper end of AUC, and the number of its thresholds.
        matches: for AP and AR.
    """

    def __init__(
        self,
        picture: Numbers,
        distance: Numbers,
        size: Numbers,
        *,
        threshold: float,
        auc: tuple[float, int],
        matches: MatchedPictures,
    ) -> None:
        self._matches, self._picture = matches, picture
        relative = distance / np.where(size > 0, size, np.nan)[:, None]
        self._known, self._sized = np.isfinite(distance).astype(float), np.isfinite(relative).astype(float)
        self._error = np.nan_to_num(relative)
        self._near = (relative < threshold).astype(float)
        most, steps = auc
        self._nearer = [(distance / most < step / steps).astype(float) for step in range(steps)]

    @property
    def pictures(self) -> int:
        """How many there are."""
        return self._matches.pictures

    def figures(self, weights: Numbers) -> dict[str, Numbers]:
        """See `PictureStatistics`."""
        own = weights[:, self._picture]
        known, sized = own @ self._known, own @ self._sized
        steps = [_mean_where(known > 0, own @ near, known) for near in self._nearer]
        return {
            **self._matches.figures(weights),
            "PCK": _mean_where(sized > 0, own @ self._near, sized),
            "AUC": np.mean(steps, axis=0),
            "NME": _ratio((own @ self._error).sum(axis=1), sized.sum(axis=1)),
        }


class ClassMatches(NamedTuple):
    """The detections of one class over all pictures, the surest first, as COCO's evaluation matched them.

    Attributes:
        picture: (detections,) index of each one's picture.
        right, wrong: (overlap thresholds, detections), true or false; one that is neither is ignored.
        wanted: (pictures,) objects to be found.
    """

    picture: Numbers
    right: Numbers
    wrong: Numbers
    wanted: Numbers


class MatchedPictures:
    """COCO's average precision and recall, of boxes or of keypoints.

    Args:
        pictures: how many there are.
        classes: matches of each class.
        recalls: at which precision is read off.
        names: canonical names of average precision, of the same at the first threshold, and of average recall; a name
            that is None is left out.
    """

    def __init__(
        self, pictures: int, classes: Sequence[ClassMatches], recalls: Numbers, names: tuple[str, str | None, str]
    ) -> None:
        self._pictures, self._classes, self._recalls, self._names = pictures, classes, recalls, names

    @property
    def pictures(self) -> int:
        """How many there are."""
        return self._pictures

    def figures(self, weights: Numbers) -> dict[str, Numbers]:
        """See `PictureStatistics`."""
        by_class = [self._of_class(each, weights) for each in self._classes]
        wanted = np.stack([weights @ each.wanted for each in self._classes], axis=1)
        precision, recall = (np.stack([one[part] for one in by_class], axis=2) for part in (0, 1))
        there = np.where(wanted > 0, 1.0, np.nan)[:, None, :]  # (draws, thresholds, classes)
        ap, at_first, ar = self._names
        found = {ap: _nanmean(precision * there, (1, 2)), ar: _nanmean(recall * there, (1, 2))}
        return found if at_first is None else {**found, at_first: _nanmean((precision * there)[:, 0], (1,))}

    def _of_class(self, matches: ClassMatches, weights: Numbers) -> tuple[Numbers, Numbers]:
        """(average precision, recall), each (draws, thresholds)."""
        size = (len(weights), len(matches.right))
        precision, recall = np.zeros(size), np.zeros(size)
        wanted = np.maximum(weights @ matches.wanted, 1e-12)
        step = max(1, _AT_ONCE // max(1, len(matches.picture)))
        # Only hits raise recall: nothing else has to be looked at. What counts is mostly the same at all levels.
        counted = [(row.tobytes(), row) for row in matches.right | matches.wrong]
        for start in range(0, len(weights), step):
            part = slice(start, start + step)
            own = weights[part][:, matches.picture]
            said = {key: np.cumsum(own if row.all() else own * row, axis=1) for key, row in dict(counted).items()}
            for level, right in enumerate(matches.right):
                hits = np.flatnonzero(right)
                if not len(hits):
                    continue
                found = np.cumsum(own[:, hits], axis=1)
                exact = found / np.maximum(said[counted[level][0]][:, hits], 1e-12)
                best = np.maximum.accumulate(exact[:, ::-1], axis=1)[:, ::-1]
                recall[part, level] = found[:, -1] / wanted[part]
                precision[part, level] = self._read_off(found / wanted[part, None], best)
        return precision, recall

    def _read_off(self, recall: Numbers, best: Numbers) -> Numbers:
        """Mean of the precision at `self._recalls`, 0 beyond the recall that is reached."""
        padded = np.concatenate([best, np.zeros((len(best), 1))], axis=1)
        places = (np.searchsorted(own, self._recalls, side="left") for own in recall)
        return np.array([own[place].mean() for own, place in zip(padded, places, strict=True)])


def _mean_where(there: Numbers, part: Numbers, whole: Numbers) -> Numbers:
    """Mean over classes or points of part / whole, of those that are there."""
    return _nanmean(np.where(there, part / np.where(there, whole, 1), np.nan), (1,))


def _ratio(part: Numbers, whole: Numbers) -> Numbers:
    return np.where(whole > 0, part / np.where(whole > 0, whole, 1), np.nan)


def _nanmean(values: Numbers, axes: tuple[int, ...]) -> Numbers:
    """`numpy.nanmean`, NaN without a warning where there is nothing."""
    known = np.isfinite(values)
    return _ratio(np.where(known, values, 0).sum(axis=axes), known.sum(axis=axes))
