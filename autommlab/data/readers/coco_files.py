"""Where COCO-style sets keep their annotation files and images."""

import mmap
from pathlib import Path

from autommlab.data.readers import files
from autommlab.data.readers.coco_json import CocoFile
from autommlab.data.records import SPLITS

#: Bytes at the start and end of a file that are searched for a key: categories stand at one of them.
_PEEK = 1 << 20
#: Files of COCO and AP-10K that share the folder and are read only when asked for by their prefix.
_PREFIXES = ("instances_", "person_keypoints_", "captions_", "stuff_", "panoptic_", "image_", "ap10k-")


def annotation_files(root: Path, prefix: str) -> list[CocoFile]:
    """The annotation files of a set, train first.

    Looks for `annotations/PREFIX_*.json` (COCO's own names), then `annotations/*.json` without such a
    prefix, then files inside each split's folder (`train/_annotations.coco.json`), then in the root.
    """
    folder = root / "annotations"
    here = files.listed(folder, ".json")
    named = [path for path in here if path.stem.startswith(f"{prefix}_")]
    plain = [path for path in here if not path.stem.startswith(_PREFIXES)]
    found = [CocoFile(path, files.split_of(path.stem), _image_folders(root, path)) for path in named or plain]
    if not found:
        for top, split in files.split_folders(root).items():
            found += [CocoFile(path, split, [top, top / "images"]) for path in files.listed(top, ".json")]
    if not found:
        plain = [path for path in files.listed(root, ".json") if path.name != "meta.json"]
        found = [CocoFile(path, files.split_of(path.stem), _image_folders(root, path)) for path in plain]
    # The first file orders the classes.
    return sorted(found, key=lambda file: ((*SPLITS, "").index(file.split), file.path.name))


def _image_folders(root: Path, path: Path) -> list[Path]:
    """train2017 for instances_train2017.json, then folders of the split, then images/, the root and data/."""
    last, split = path.stem.rsplit("_", 1)[-1], files.split_of(path.stem)
    parents = (root, root / "images")
    tops = [top for parent in parents for top, name in files.split_folders(parent).items() if name == split]
    return [root / last, root / "images" / last, *tops, root / "images", root, root / "data"]


def mentions(path: Path, key: str) -> bool:
    """Whether a JSON file names `key` near its start or end, without parsing hundreds of megabytes."""
    if not files.is_regular(path) or not path.stat().st_size:
        return False
    wanted = [f'"{key}"'.encode(codec) for codec in ("utf-8", "utf-16-le", "utf-16-be")]
    with path.open("rb") as source, mmap.mmap(source.fileno(), 0, access=mmap.ACCESS_READ) as content:
        starts = ((0, _PEEK), (max(0, len(content) - _PEEK), len(content)))
        return any(content.find(each, *place) >= 0 for each in wanted for place in starts)
