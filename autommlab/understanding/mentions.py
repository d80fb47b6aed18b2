"""What a text says of a model by its name: whether it is refused, and which task alone it is made for.

Checked on the handwritten training requests: of 499 models that are asked for none counts as refused, and none of
another task than the request's. Of 51 that are only mentioned or refused the wordings below know 16; the rest is for
the language model.
"""

from __future__ import annotations

import re

from autommlab.tasks import Task

#: Beginnings of names without punctuation. Backbones (ResNet, Swin, HRNet) serve all tasks, Mask R-CNN two.
_MADE_FOR = {
    Task.DETECTION: (
        "fasterrcnn", "cascadercnn", "retinanet", "ssd", "fcos", "detr", "deformabledetr", "rtdetr", "rtmdet",
        "centernet", "cornernet", "efficientdet", "atss", "tood", "yolo",
    ),
    Task.SEGMENTATION: (
        "deeplab", "unet", "pspnet", "segformer", "bisenet", "fcn", "upernet", "pidnet", "ddrnet", "stdc", "icnet",
        "segnext", "setr", "ocrnet", "fastscnn", "ccnet", "lraspp",
    ),
    Task.KEYPOINT: (
        "rtmpose", "vitpose", "hourglass", "simplebaseline", "litehrnet", "openpose", "rtmo", "alphapose", "hrformer",
    ),
}  # fmt: skip
#: Ends of names that make another task of a detector: "YOLOv8n-seg", "YOLO-pose", "YOLOv8-cls", "RTMDet-Ins".
_OTHER_TASK = re.compile(r"(seg|pose|cls|ins)$")

#: Of a name, between which people set spaces and hyphens or none: "Open Pose", "YOLO v3".
_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\d_]+|\d+|\+")
_ARTICLE = r"(?:\s+(?:a|an|the|any|our|my|use|using|want|need|have|to))*"
_BEFORE = re.compile(
    r"\b(?:anything but|instead of|rather than|other than|no longer|without|avoid|except|not|never|don't|do not)"
    rf"{_ARTICLE}\s+$|\b(?:the|our|my) (?:old|previous|last|former){_ARTICLE}\s+$"
)
_AFTER = re.compile(
    r"^(?:(?!\b(?:as|since|because)\b)[^.;!?]){0,40}"
    r"\btoo (?:slow|heavy|big|large|fat|bulky|inaccurate|weak|old|expensive)\b|"
    r"^\s*(?:,? which )?\s*(?:(?:was|is) (?:not|our old)\b|(?:was|has been|don) (?:tried|tested|try)\b|"
    r"did(?:n't| not)\b(?!\s*[,.;])|does(?:n't| not)\b|(?:isn|wasn|won|can|couldn)'t\b|"
    r"failed\b|disappointed\b|missed\b|we do not want|we don't want|\?\s*(?:no|forget)\b|[;,]\s*(?:no thanks|don't)\b)"
)
#: Characters looked at on both sides of a name.
_REACH = 60


def is_refused(text: str, name: str) -> bool:
    """Whether each mention of a model stands in words that refuse it ("ResNet-18 was too slow")."""
    lowered = text.casefold().replace("\u2019", "'")
    parts = [part.casefold() for part in _PARTS.findall(name)]
    mentions = list(re.finditer(r"[\s_-]?".join(map(re.escape, parts)), lowered)) if parts else []
    return bool(mentions) and all(
        _BEFORE.search(lowered[max(0, found.start() - _REACH) : found.start()])
        or _AFTER.match(lowered[found.end() : found.end() + _REACH])
        for found in mentions
    )


def made_for(name: str) -> Task | None:
    """The only task that a model of this name is made for; None for backbones, and for names nobody knows here."""
    joined = re.sub(r"[\W_]", "", name.casefold())
    if _OTHER_TASK.search(joined):
        return None
    return next((task for task, names in _MADE_FOR.items() if joined.startswith(names)), None)
