"""How the toolboxes name a model, and a title for people made from it.

"faster-rcnn_r50_fpn_ms-3x_coco" has an architecture ("faster-rcnn_r50_fpn") and a recipe
("ms-3x_coco": schedule, batch, data set). Underscores separate segments in all four toolboxes.
"""

import re
from typing import NamedTuple

_DATA_SETS = (
    "in1k|in21k|in12k|imagenet|cifar|cub|voc|coco|lvis|openimages|crowdhuman|obj365|ade20k|cityscapes|pascal|"
    "loveda|potsdam|vaihingen|isaid|mapill|drive|stare|chase|nyu|mpii|aic|jhmdb|crowdpose|posetrack|humanart|"
    "body8|exlpose|animalpose|animalkingdom|ap10k|locust|zebra|wflw|aflw|cofw|300w|face6|lapa|deepfash|hand5|"
    "onehand10k|rhd2d|freihand|interhand|cocktail|ubody|halpe"
)
_RECIPE = re.compile(
    rf"^(?:.*\d+xb\d+.*|\d+x\d+|3rdparty.*|(?!r\d+-).*-pre|(?:{_DATA_SETS}).*|(?:.*-)?\d+(?:\.\d+)?[xe]|\d+k"
    r"|(?:ms|mstrain|amp|fp16|instaboost|crop\d+|lsj)(?:-.*)?)$"
)
#: Pretraining that mmsegmentation writes inside the segment of the backbone.
_PRETRAINED = re.compile(r"-in\d+k(?:-\d+x\d+)?(?:-pre)?$|-\d+x\d+-pre$|-scratch(?=-|$)")
#: A schedule that a few names hang onto the segment before.
_SCHEDULE = re.compile(r"(?<=[a-z0-9])-\d+(?:\.\d+)?[xe]$")
_METHOD = {"td-hm": "", "topdown": "", "heatmap": "", "td-reg": "regression"}


class ZooName(NamedTuple):
    """The two parts of a toolbox's model name; segments joined by "_"."""

    architecture: str
    recipe: str


def split_name(name: str) -> ZooName:
    """Separate what the model is from how it was trained."""
    segments = [_SCHEDULE.sub("", _PRETRAINED.sub("", segment)) for segment in name.split("_")]
    segments = [segment for segment in segments if segment]
    cut = next((i for i, segment in enumerate(segments) if i and _RECIPE.match(segment)), len(segments))
    plain = [_METHOD.get(segment, segment) for segment in segments[:cut]]
    return ZooName("_".join(segment for segment in plain if segment), "_".join(segments[cut:]))


_CASE = {
    "vit": "ViT", "resnet": "ResNet", "res": "ResNet", "resnext": "ResNeXt", "seresnet": "SE-ResNet",
    "resnest": "ResNeSt", "vgg": "VGG", "repvgg": "RepVGG", "regnetx": "RegNetX", "mobilenet": "MobileNet",
    "shufflenet": "ShuffleNet", "squeezenet": "SqueezeNet", "alexnet": "AlexNet", "densenet": "DenseNet",
    "convnext": "ConvNeXt", "mobilevit": "MobileViT", "mobileone": "MobileOne", "tinyvit": "TinyViT",
    "deit": "DeiT", "beit": "BEiT", "hrnet": "HRNet", "litehrnet": "LiteHRNet", "hrformer": "HRFormer",
    "vitpose": "ViTPose", "rtmpose": "RTMPose", "rtmdet": "RTMDet", "rtmw": "RTMW", "simcc": "SimCC",
    "efficientnet": "EfficientNet", "retinanet": "RetinaNet", "reppoints": "RepPoints", "deeplab": "DeepLab",
    "deeplabv3plus": "DeepLabV3+", "bisenet": "BiSeNet", "segformer": "SegFormer", "pspnet": "PSPNet",
    "unet": "U-Net", "upernet": "UPerNet", "ocrnet": "OCRNet", "icnet": "ICNet", "segnext": "SegNeXt",
    "pidnet": "PIDNet", "ddrnet": "DDRNet", "centernet": "CenterNet", "cornernet": "CornerNet", "ssdlite": "SSDLite",
    "vipnas": "ViPNAS", "scnet": "SCNet", "vfnet": "VFNet", "mask2former": "Mask2Former", "hr": "HRNet-W",
    "maskformer": "MaskFormer", "poolformer": "PoolFormer", "swin": "Swin", "rcnn": "R-CNN", "twins": "Twins",
    "cspdarknet": "CSPDarkNet", "cspresnet": "CSPResNet", "cspresnext": "CSPResNeXt", "tridentnet": "TridentNet",
    "hornet": "HorNet", "edgenext": "EdgeNeXt", "levit": "LeViT", "xcit": "XCiT", "replknet": "RepLKNet",
    "efficientformer": "EfficientFormer", "mobilenetv": "MobileNetV", "nas": "NAS", "caffe": "caffe",
    "mask": "Mask", "grid": "Grid", "fast": "Fast", "wide": "Wide", "head": "head", "res2net": "Res2Net", "all": "all",
    "rend": "Rend", "knet": "K-Net", "fovea": "FoveaBox", "rsn": "RSN", "mspn": "MSPN", "mit": "MiT", "yolox": "YOLOX",
    "yolof": "YOLOF", "mscan": "MSCAN", "dino": "DINO",
}  # fmt: skip
_SIZES = {"tiny", "small", "medium", "base", "large", "huge", "giant", "nano", "pico", "femto", "atto"}
_SIZES |= {"xsmall", "xxsmall", "xlarge", "s", "m", "l", "x", "t", "b", "h", "g", "xl", "simple", "lite"}
_WORD = re.compile(r"^([a-z]+?)(v\d+[a-z]?)?(\d+(?:\.\d+)?)?([a-z]*)$")
_LONGEST_ABBREVIATION = 4
_LONGEST_PREFIX = 2


def _pretty_word(word: str) -> str:
    lower = word.lower()
    if lower in _CASE:
        return _CASE[lower]
    if lower in _SIZES:
        return lower if len(lower) == 1 else lower.capitalize()
    match = _WORD.match(lower)
    if not match or not (match[2] or match[3]):
        return word if not word.islower() else word.upper() if len(word) <= _LONGEST_ABBREVIATION else word.capitalize()
    stem, version, digits, tail = match[1], match[2] or "", match[3] or "", match[4]
    if len(stem) == 1:
        return f"{stem.upper()}{version}{digits}{tail}"
    shown = _CASE.get(stem, stem.upper() if len(stem) <= _LONGEST_ABBREVIATION else stem.capitalize())
    number = digits if shown.endswith("-W") else f"-{digits}" if digits else ""
    return f"{shown}{version.upper()}{number}{tail}"


def _pretty_segment(segment: str) -> str:
    shown = ""
    for word in (_pretty_word(word) for word in segment.split("-")):
        apart = word in {"R-CNN", "DETR", "RPN"} or shown.endswith("R-CNN")
        shown += f"{' ' if apart else '-'}{word}" if shown else word
    return shown


def title_of(name: str, family: str) -> str:
    """A title as people write it: "resnet50_8xb32_in1k" of "ResNet" -> "ResNet-50"."""
    architecture = split_name(name).architecture
    shown = ""
    for segment in architecture.split("_"):
        joint = "-" if segment.lower() in _SIZES else " "
        shown = f"{shown}{joint}{_pretty_segment(segment)}" if shown else _pretty_segment(segment)
    squeezed = re.sub(r"[^a-z0-9]", "", architecture.lower())
    words = re.findall(r"[a-z0-9]+", family.lower())
    known = len(words) > _LONGEST_PREFIX or any(word[:4] in squeezed for word in words if len(word) > 2)
    short = {"SimpleBaseline2D": "SimpleBaseline", "Vision Transformer": ""}
    prefix = "" if known else short.get(family, family)
    return f"{prefix} {shown}".strip()
