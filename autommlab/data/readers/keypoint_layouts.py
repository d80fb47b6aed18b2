"""What is known about the points of a keypoint set: left-right pairs and fall-off.

Fall-offs (sigmas): COCO's from its evaluation code, AP-10K's from the paper's benchmark as mmpose
carries both; every other layout gets one constant, since no study of its annotators exists.
"""

import re
from collections.abc import Sequence
from typing import Any

from autommlab.common.errors import DataError
from autommlab.data.readers.boxes import finite_numbers
from autommlab.data.records import KeypointLayout

UNIFORM_SIGMA = 0.05
_COCO = {
    "nose": 0.026,
    "left_eye": 0.025,
    "right_eye": 0.025,
    "left_ear": 0.035,
    "right_ear": 0.035,
    "left_shoulder": 0.079,
    "right_shoulder": 0.079,
    "left_elbow": 0.072,
    "right_elbow": 0.072,
    "left_wrist": 0.062,
    "right_wrist": 0.062,
    "left_hip": 0.107,
    "right_hip": 0.107,
    "left_knee": 0.087,
    "right_knee": 0.087,
    "left_ankle": 0.089,
    "right_ankle": 0.089,
}
#: Names of COCO's 17 points of a person, in its order.
COCO_POINTS = tuple(_COCO)
_AP10K = {
    "left_eye": 0.025,
    "right_eye": 0.025,
    "nose": 0.026,
    "neck": 0.035,
    "root_of_tail": 0.035,
    "left_shoulder": 0.079,
    "left_elbow": 0.072,
    "left_front_paw": 0.062,
    "right_shoulder": 0.079,
    "right_elbow": 0.072,
    "right_front_paw": 0.062,
    "left_hip": 0.107,
    "left_knee": 0.087,
    "left_back_paw": 0.089,
    "right_hip": 0.107,
    "right_knee": 0.087,
    "right_back_paw": 0.089,
}
_SIDES = {"left": "right", "right": "left", "l": "r", "r": "l"}

Pair = tuple[int, int]


def build_layout(names: Sequence[str], skeleton: Any, meta: dict[str, Any]) -> KeypointLayout:
    """The layout of a category, completed by the `meta.json` beside the data.

    Args:
        names: of the points, from the category.
        skeleton: the category's bones, COCO's one-based pairs.
        meta: may hold `flip_pairs` and `skeleton` (pairs of names or zero-based indexes) and `sigmas`;
            used only where its own `keypoints`, if any, are the same names.

    Raises:
        DataError: a pair of `meta` names no point.
    """
    usable = meta if meta.get("keypoints", list(names)) == list(names) else {}
    bones = tuple(
        bone for pair in (skeleton if isinstance(skeleton, list) else ()) if (bone := _bone(pair, len(names)))
    )
    pairs = _pairs("flip_pairs", usable, names)
    sigmas = finite_numbers(usable.get("sigmas")) or ()
    return KeypointLayout(
        names=tuple(names),
        flip_pairs=flip_pairs(names) if pairs is None else pairs,
        skeleton=bones or _pairs("skeleton", usable, names) or (),
        sigmas=sigmas if len(sigmas) == len(names) else default_sigmas(names),
    )


def _bone(pair: Any, points: int) -> Pair | None:
    ends = finite_numbers(pair, 2)
    return (int(ends[0]) - 1, int(ends[1]) - 1) if ends and all(1 <= end <= points for end in ends) else None


def default_sigmas(names: Sequence[str]) -> tuple[float, ...]:
    """COCO's or AP-10K's fall-offs where the points are theirs, else one constant."""
    for known in (_COCO, _AP10K):
        if set(names) == set(known):
            return tuple(known[name] for name in names)
    return (UNIFORM_SIGMA,) * len(names)


def flip_pairs(names: Sequence[str]) -> tuple[Pair, ...]:
    """Pairs whose names differ only in left and right ("L_Eye" and "R_Eye", "leftHip" and "rightHip")."""
    words = [tuple(_words(name)) for name in names]
    # Points whose names are the same words cannot be told apart, so they get no partner.
    index = {name: i for i, name in enumerate(words) if words.count(name) == 1}
    pairs: list[Pair] = []
    for name, i in index.items():
        other = index.get(tuple(_SIDES.get(word, word) for word in name), i)
        if i < other:
            pairs.append((i, other))
    return tuple(pairs)


def _words(name: str) -> list[str]:
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    spaced = re.sub(r"(?:^|(?<=[^a-z]))(left|right)(?=[a-z])", r"\1_", spaced)
    return re.findall(r"[a-z]+|\d+", spaced)


def _pairs(key: str, meta: dict[str, Any], names: Sequence[str]) -> tuple[Pair, ...] | None:
    if key not in meta:
        return None
    position = {name: i for i, name in enumerate(names)} | {i: i for i in range(len(names))}
    try:
        return tuple((position[a], position[b]) for a, b in meta[key])
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"meta.json: {key} holds {error.args[0] if error.args else error!r}, which is no pair of points. "
            f"Points: {', '.join(names)}. Correct or delete {key}."
        ) from error
