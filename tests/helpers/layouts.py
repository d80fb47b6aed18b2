"""Builders of tiny data sets in the true layouts, for tests of every stage.

Each takes a folder, fills it and returns it. Images are noise by name, so no two are alike.
"""

import json
import os
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
from PIL import Image

WIDTH, HEIGHT = 40, 30
COCO_POINTS = [
    "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow",
    "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee",
    "left_ankle", "right_ankle",
]  # fmt: skip
AP10K_POINTS = [
    "left_eye", "right_eye", "nose", "neck", "root_of_tail", "left_shoulder", "left_elbow", "left_front_paw",
    "right_shoulder", "right_elbow", "right_front_paw", "left_hip", "left_knee", "left_back_paw", "right_hip",
    "right_knee", "right_back_paw",
]  # fmt: skip


def image(path: Path, size: tuple[int, int] = (WIDTH, HEIGHT)) -> Path:
    """A picture of noise, the same for the same file name; `size` is (width, height)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(crc32(os.fsencode(path)))
    Image.fromarray(noise.integers(0, 256, (size[1], size[0], 3), np.uint8)).save(path)
    return path


def mask(path: Path, values: list[int], size: tuple[int, int] = (WIDTH, HEIGHT)) -> Path:
    """An index mask: one vertical band for each value."""
    path.parent.mkdir(parents=True, exist_ok=True)
    bands = np.array(values, np.uint8)[np.arange(size[0]) * len(values) // size[0]]
    Image.fromarray(np.tile(bands, (size[1], 1))).save(path)
    return path


def image_folders(root: Path, classes: tuple[str, ...] = ("cat", "dog"), each: int = 3) -> Path:
    for split, count in (("train", each), ("val", 1), ("test", 1)):
        for name in classes:
            for number in range(count):
                image(root / split / name / f"{number}.jpg")
    return root


def image_folders_unsplit(root: Path) -> Path:
    for name in ("cat", "dog"):
        for number in range(4):
            image(root / name / f"{number}.png")
    return root


def imagenet_lists(root: Path) -> Path:
    """As mmpretrain keeps ImageNet: lists in meta/, training images below their synset."""
    synsets = ["n01440764", "n02012849", "n03126707"]
    lines: dict[str, list[str]] = {"train": [], "val": []}
    for label, synset in enumerate(synsets):
        for number in range(2):
            name = f"{synset}/{synset}_{number}.JPEG"
            image(root / "train" / name)
            lines["train"].append(f"{name} {label}")
        name = f"ILSVRC2012_val_{label:08d}.JPEG"
        image(root / "val" / name)
        lines["val"].append(f"{name} {label}")
    (root / "meta").mkdir()
    for split, entries in lines.items():
        (root / "meta" / f"{split}.txt").write_text("\n".join(entries) + "\n")
    return root


def coco(
    folder: Path, images: int, categories: list[dict[str, Any]], points: int = 0, prefix: str = ""
) -> dict[str, Any]:
    """Write `images` pictures into `folder`; the COCO content that annotates one object of each category."""
    content: dict[str, Any] = {"images": [], "annotations": [], "categories": categories}
    for number in range(images):
        name = f"{prefix}{number:06d}.jpg"
        image(folder / name)
        content["images"].append({"id": number + 1, "file_name": name, "width": WIDTH, "height": HEIGHT})
        for order, category in enumerate(categories):
            entry = {
                "id": len(content["annotations"]) + 1,
                "image_id": number + 1,
                "category_id": category["id"],
                "bbox": [2 + 9 * order, 3, 8.5, 20],
                "area": 170.0,
                "iscrowd": 0,
            }
            x, y, w, h = entry["bbox"]
            entry["segmentation"] = [[x, y, x + w, y, x + w, y + h, x, y + h]]
            if points:
                entry["keypoints"] = [v for i in range(points) for v in (3 + i % 8 + 9 * order, 4 + i, 1 + i % 2)]
                entry["num_keypoints"] = points
            content["annotations"].append(entry)
    return content


def write(path: Path, content: dict[str, Any]) -> Path:
    """Write JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path


# COCO's ids have holes, and files do not list them in order.
DETECTION_CATEGORIES = [{"id": 18, "name": "dog"}, {"id": 1, "name": "person"}]


def coco_detection(root: Path) -> Path:
    """COCO's own names: annotations/instances_train2017.json beside train2017/."""
    for split, count in (("train", 4), ("val", 2)):
        content = coco(root / f"{split}2017", count, DETECTION_CATEGORIES)
        write(root / "annotations" / f"instances_{split}2017.json", content)
    write(root / "annotations" / "captions_train2017.json", {"images": [], "annotations": []})
    return root


def coco_detection_plain(root: Path) -> Path:
    """annotations/{train,val,test}.json with {train,val,test}/."""
    for split, count in (("train", 4), ("val", 2), ("test", 2)):
        content = coco(root / split, count, DETECTION_CATEGORIES)
        write(root / "annotations" / f"{split}.json", content)
    return root


def coco_keypoints(root: Path) -> Path:
    """COCO's person keypoints."""
    person = {"id": 1, "name": "person", "keypoints": COCO_POINTS, "skeleton": [[16, 14], [14, 12]]}
    for split, count in (("train", 4), ("val", 2)):
        content = coco(root / f"{split}2017", count, [person], 17)
        write(root / "annotations" / f"person_keypoints_{split}2017.json", content)
    return root


def ap10k(root: Path) -> Path:
    """AP-10K: three annotation files, all images in data/."""
    species = [
        {"id": i, "name": name, "supercategory": "x", "keypoints": AP10K_POINTS, "skeleton": [[1, 2]]}
        for i, name in enumerate(("antelope", "panda"), start=1)
    ]
    for split, count in (("train", 4), ("val", 2), ("test", 2)):
        content = coco(root / "data", count, species, 17, prefix=split)
        write(root / "annotations" / f"ap10k-{split}-split1.json", content)
    return root


def cityscapes(root: Path) -> Path:
    """Label ids as published; the test masks are dummies, as published."""
    for split, city, values in (
        ("train", "aachen", [7, 26, 3]),
        ("train", "bochum", [7, 24]),
        ("val", "munster", [7, 26]),
        ("test", "berlin", [1, 3]),
    ):
        stem = f"{city}_000000_000019"
        image(root / "leftImg8bit" / split / city / f"{stem}_leftImg8bit.png")
        mask(root / "gtFine" / split / city / f"{stem}_gtFine_labelIds.png", values)
    return root


def voc_xml(path: Path, objects: list[tuple[str, tuple[int, int, int, int]]]) -> Path:
    """A VOC annotation; boxes are (xmin, ymin, xmax, ymax), counted from 1."""
    tree = ET.Element("annotation")
    ET.SubElement(tree, "filename").text = f"{path.stem}.jpg"
    size = ET.SubElement(tree, "size")
    for key, value in (("width", WIDTH), ("height", HEIGHT), ("depth", 3)):
        ET.SubElement(size, key).text = str(value)
    for name, corners in objects:
        item = ET.SubElement(tree, "object")
        ET.SubElement(item, "name").text = name
        ET.SubElement(item, "difficult").text = "1" if name == "person" else "0"
        box = ET.SubElement(item, "bndbox")
        for key, corner in zip(("xmin", "ymin", "xmax", "ymax"), corners, strict=True):
            ET.SubElement(box, key).text = str(corner)
    path.parent.mkdir(parents=True, exist_ok=True)
    ET.ElementTree(tree).write(path)
    return path


def pascal_voc(root: Path, masks: bool = True) -> Path:
    """VOC2012's folders; both tasks unless `masks` is off."""
    names = [f"2007_{number:06d}" for number in range(6)]
    for name in names:
        image(root / "JPEGImages" / f"{name}.jpg")
        voc_xml(root / "Annotations" / f"{name}.xml", [("dog", (1, 1, 10, 12)), ("person", (15, 5, 40, 30))])
        if masks:
            mask(root / "SegmentationClass" / f"{name}.png", [0, 12, 255, 15])
    for kind in ("Main", *(("Segmentation",) if masks else ())):
        folder = root / "ImageSets" / kind
        folder.mkdir(parents=True)
        (folder / "train.txt").write_text("\n".join(names[:4]))
        (folder / "val.txt").write_text("\n".join(names[4:]))
        (folder / "trainval.txt").write_text("\n".join(names))
    (root / "ImageSets" / "Main" / "dog_train.txt").write_text("\n".join(f"{name}  1" for name in names))
    return root


def index_masks(root: Path) -> Path:
    """Mmsegmentation's img_dir and ann_dir, class names in meta.json."""
    for split, count in (("train", 4), ("val", 2), ("test", 2)):
        for number in range(count):
            image(root / "img_dir" / split / f"{number}.jpg")
            mask(root / "ann_dir" / split / f"{number}.png", [0, 1, 2, 255])
    write(root / "meta.json", {"classes": ["background", "nucleus", "wall"]})
    return root


def yolo_line(label: int, box: tuple[float, float, float, float], *, outline: bool = False) -> str:
    """A line of a YOLO label for a box (x, y, width, height) in pixels; as four corners where `outline` is on."""
    x, y, w, h = box
    if outline:
        corners = ((x, y), (x + w, y), (x + w, y + h), (x, y + h))
        return f"{label} " + " ".join(f"{a / WIDTH:.9g} {b / HEIGHT:.9g}" for a, b in corners)
    return f"{label} {(x + w / 2) / WIDTH:.9g} {(y + h / 2) / HEIGHT:.9g} {w / WIDTH:.9g} {h / HEIGHT:.9g}"


YOLO_BOXES = ((2.0, 3.0, 10.0, 20.0), (20.0, 5.0, 12.0, 15.0))
SPLIT_COUNTS = (("train", 4), ("val", 2), ("test", 2))


def yolo(root: Path, *, outline: bool = True) -> Path:
    """Ultralytics' folders with data.yaml; two objects a picture, as outlines unless `outline` is off."""
    for split, count in SPLIT_COUNTS:
        for number in range(count):
            image(root / "images" / split / f"{number}.jpg")
            lines = [yolo_line(label, box, outline=outline) for label, box in enumerate(YOLO_BOXES)]
            write_lines(root / "labels" / split / f"{number}.txt", lines)
    named = "names:\n  0: cat\n  1: no\n"
    (root / "data.yaml").write_text(
        f"path: ../datasets/set\ntrain: images/train\nval: images/val\ntest: images/test\n{named}"
    )
    return root


def yolo_roboflow(root: Path) -> Path:
    """Roboflow's export: a folder for each split, paths that lead out of the set."""
    for split in ("train", "valid", "test"):
        for number in range(2):
            image(root / split / "images" / f"{number}.jpg")
            lines = [yolo_line(label, box) for label, box in enumerate(YOLO_BOXES)]
            write_lines(root / split / "labels" / f"{number}.txt", lines)
    paths = "train: ../train/images\nval: ../valid/images\ntest: ../test/images\n"
    (root / "data.yaml").write_text(f"{paths}\nnc: 2\nnames: ['cat', 'no']\n")
    return root


def yolo_darknet(root: Path) -> Path:
    """CVAT's "YOLO 1.1": obj.data, obj.names, lists whose paths begin with a folder that the archive lacks."""
    for split, folder in (("train", "obj_train_data"), ("valid", "obj_valid_data")):
        for number in range(2):
            image(root / folder / f"{number}.jpg")
            write_lines(root / folder / f"{number}.txt", [yolo_line(i, box) for i, box in enumerate(YOLO_BOXES)])
        write_lines(root / f"{split}.txt", [f"data/{folder}/{number}.jpg" for number in range(2)])
    write_lines(root / "obj.names", ["cat", "no"])
    keys = ["classes = 2", "train = data/train.txt", "valid = data/valid.txt", "names = data/obj.names"]
    write_lines(root / "obj.data", [*keys, "backup = backup/"])
    return root


def yolo_cvat(root: Path) -> Path:
    """CVAT's "Ultralytics YOLO Detection": data.yaml that names lists, whose paths begin with a folder "data"."""
    for split in ("train", "val"):
        for number in range(2):
            image(root / "images" / split / f"{number}.jpg")
            lines = [yolo_line(label, box) for label, box in enumerate(YOLO_BOXES)]
            write_lines(root / "labels" / split / f"{number}.txt", lines)
        write_lines(root / f"{split}.txt", [f"data/images/{split}/{number}.jpg" for number in range(2)])
    (root / "data.yaml").write_text("names:\n  0: cat\n  1: 'no'\npath: .\ntrain: train.txt\nval: val.txt\n")
    return root


def _two_boxes(folder: Path, prefix: str = "") -> dict[str, Any]:
    """COCO content of two pictures with the two objects of `YOLO_BOXES`."""
    content = coco(folder, 2, [])
    content["categories"] = [{"id": at, "name": name} for at, name in enumerate(("cat", "no"))]
    for entry in content["images"]:
        entry["file_name"] = prefix + entry["file_name"]
        for at, box in enumerate(YOLO_BOXES):
            found = {"image_id": entry["id"], "category_id": at, "bbox": box, "segmentation": [], "iscrowd": 0}
            content["annotations"].append(found | {"id": len(content["annotations"])})
    return content


def coco_cvat(root: Path) -> Path:
    """CVAT's "COCO 1.0"."""
    write(root / "annotations" / "instances_default.json", _two_boxes(root / "images" / "default"))
    return root


def coco_label_studio(root: Path) -> Path:
    """Label Studio's COCO export: result.json, whose names begin with the folder of the pictures."""
    write(root / "result.json", _two_boxes(root / "images", "images\\"))
    return root


def voc_cvat(root: Path) -> Path:
    """CVAT's "PASCAL VOC 1.1"."""
    for number in range(2):
        image(root / "JPEGImages" / f"{number}.jpg")
        corners = [(x + 1, y + 1, x + w, y + h) for x, y, w, h in YOLO_BOXES]
        boxes = [
            (name, (int(a), int(b), int(c), int(d))) for name, (a, b, c, d) in zip(("cat", "no"), corners, strict=True)
        ]
        voc_xml(root / "Annotations" / f"{number}.xml", boxes)
    write_lines(root / "ImageSets" / "Main" / "default.txt", ["0", "1"])
    write_lines(root / "labelmap.txt", ["# label:color_rgb:parts:actions", "background:0,0,0::", "cat:250,50,83::"])
    return root


def yolo_classes_txt(root: Path) -> Path:
    """Label Studio's YOLO export: images, labels and classes.txt."""
    for number in range(4):
        image(root / "images" / f"{number}.jpg")
        write_lines(root / "labels" / f"{number}.txt", [yolo_line(i, box) for i, box in enumerate(YOLO_BOXES)])
    write_lines(root / "classes.txt", ["cat", "no"])
    write(root / "notes.json", {"categories": [{"id": 0, "name": "cat"}], "info": {"year": 2026}})
    return root


def yolo_beside(root: Path) -> Path:
    """labelImg's: labels and classes.txt beside the images."""
    for number in range(4):
        image(root / f"{number}.jpg")
        write_lines(root / f"{number}.txt", [yolo_line(i, box) for i, box in enumerate(YOLO_BOXES)])
    write_lines(root / "classes.txt", ["cat", "no"])
    return root


def write_lines(path: Path, lines: list[str]) -> Path:
    """Write text lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
    return path


def yolo_pose(root: Path) -> Path:
    """YOLO-pose with four points of three numbers."""
    points = [(4, 5, 2), (10, 5, 1), (4, 20, 2), (10, 20, 2)]
    posed = " ".join(f"{x / WIDTH:.9g} {y / HEIGHT:.9g} {v}" for x, y, v in points)
    for split, count in SPLIT_COUNTS:
        for number in range(count):
            image(root / "images" / split / f"{number}.jpg")
            write_lines(root / "labels" / split / f"{number}.txt", [f"{yolo_line(0, YOLO_BOXES[0])} {posed}"])
    keys = "kpt_shape: [4, 3]\nflip_idx: [1, 0, 3, 2]\nnames: [mouse]\n"
    (root / "data.yaml").write_text(f"train: images/train\nval: images/val\ntest: images/test\n{keys}")
    return root


def _rectangle(label: str, box: tuple[float, float, float, float], group: int | None = None) -> dict[str, Any]:
    x, y, w, h = box
    return {"label": label, "points": [[x, y], [x + w, y + h]], "group_id": group, "shape_type": "rectangle"}


def _outline(box: tuple[float, float, float, float]) -> list[list[float]]:
    x, y, w, h = box
    return [[x, y], [x + w, y], [x + w, y + h], [x, y + h]]


def labelme(root: Path) -> Path:
    """LabelMe's JSON beside the pictures: a rectangle with two points of its group, and a polygon."""
    for split, count in SPLIT_COUNTS:
        for number in range(count):
            image(root / split / f"{number}.jpg")
            points = [("nose", [5, 6]), ("tail", [9, 20])]
            shapes = [
                _rectangle("cat", YOLO_BOXES[0], 1),
                {"label": "no", "points": _outline(YOLO_BOXES[1]), "shape_type": "polygon", "flags": {}},
                *({"label": name, "points": [at], "group_id": 1, "shape_type": "point"} for name, at in points),
            ]
            content: dict[str, Any] = {"version": "5.8.1", "flags": {}, "shapes": shapes, "imagePath": f"{number}.jpg"}
            content |= {"imageData": None, "imageHeight": HEIGHT, "imageWidth": WIDTH}
            write(root / split / f"{number}.json", content)
    return root


def cvat(root: Path) -> Path:
    """CVAT for images 1.1 with subsets: a box, a polygon, a skeleton and a tag in every picture."""
    tree = ET.Element("annotations")
    ET.SubElement(tree, "version").text = "1.1"
    labels = ET.SubElement(ET.SubElement(ET.SubElement(tree, "meta"), "job"), "labels")
    for name in ("cat", "no", "body", "indoors", "outdoors"):
        ET.SubElement(ET.SubElement(labels, "label"), "name").text = name
    for split, count in (("Train", 4), ("Validation", 2), ("Test", 2)):
        for number in range(count):
            name = f"{split}{number}.jpg"
            image(root / "images" / split / name)
            sizes = {"width": str(WIDTH), "height": str(HEIGHT)}
            entry = ET.SubElement(tree, "image", {"id": str(number), "name": name, "subset": split, **sizes})
            x, y, w, h = YOLO_BOXES[0]
            ET.SubElement(entry, "box", label="cat", xtl=f"{x}", ytl=f"{y}", xbr=f"{x + w}", ybr=f"{y + h}")
            points = ";".join(f"{x},{y}" for x, y in _outline(YOLO_BOXES[1]))
            ET.SubElement(entry, "polygon", label="no", points=points, occluded="0", z_order="0")
            body = ET.SubElement(entry, "skeleton", label="body")
            for part, at in (("nose", "5,6"), ("tail", "9,20")):
                ET.SubElement(body, "points", label=part, points=at, outside="0", occluded="0")
            ET.SubElement(entry, "tag", label=("indoors", "outdoors")[number % 2])
    ET.ElementTree(tree).write(root / "annotations.xml", encoding="utf-8", xml_declaration=True)
    return root


def label_studio(root: Path) -> Path:
    """Label Studio's JSON export: a rectangle with two points, a polygon and a choice in every task."""
    tasks = []
    for number in range(8):
        image(root / "images" / f"1a2b3c4d-{number}.jpg")
        x, y, w, h = (100 * a / b for a, b in zip(YOLO_BOXES[0], (WIDTH, HEIGHT) * 2, strict=True))
        outline = [[100 * a / WIDTH, 100 * b / HEIGHT] for a, b in _outline(YOLO_BOXES[1])]
        values = {
            "rectanglelabels": {"x": x, "y": y, "width": w, "height": h, "rotation": 0, "rectanglelabels": ["cat"]},
            "polygonlabels": {"points": outline, "closed": True, "polygonlabels": ["no"]},
            "choices": {"choices": [("indoors", "outdoors")[number % 2]]},
        }
        common = {"to_name": "image", "original_width": WIDTH, "original_height": HEIGHT, "image_rotation": 0}
        results = [common | {"id": kind, "type": kind, "value": value} for kind, value in values.items()]
        for name, (left, top) in (("nose", (5, 6)), ("tail", (9, 20))):
            value = {"x": 100 * left / WIDTH, "y": 100 * top / HEIGHT, "width": 0.5, "keypointlabels": [name]}
            results.append(common | {"type": "keypointlabels", "value": value, "parentID": "rectanglelabels"})
        data = {"image": f"/data/upload/1/1a2b3c4d-{number}.jpg"}
        annotations = [{"id": number, "was_cancelled": False, "result": results}]
        tasks.append({"id": number, "annotations": annotations, "predictions": [], "data": data})
    (root / "project-1-at-2026-11-30.json").write_text(json.dumps(tasks))
    return root


def hf_imagefolder(root: Path) -> Path:
    """Hugging Face's imagefolder with metadata.jsonl: objects and a label in every row."""
    for split, count in (("train", 4), ("validation", 2), ("test", 2)):
        rows = []
        for number in range(count):
            image(root / split / "pictures" / f"{number}.jpg")
            objects = {"bbox": YOLO_BOXES, "categories": ["cat", "no"]}
            label = ("indoors", "outdoors")[number % 2]
            rows.append({"file_name": f"pictures/{number}.jpg", "objects": objects, "label": label})
        write_lines(root / split / "metadata.jsonl", [json.dumps(row) for row in rows])
    return root


#: Layout -> builder of a set that `autommlab.data.readers` must recognise and read.
BUILDERS: dict[str, Callable[[Path], Path]] = {
    "image-folders": image_folders,
    "imagenet-lists": imagenet_lists,
    "coco-detection": coco_detection,
    "coco-keypoints": coco_keypoints,
    "ap-10k": ap10k,
    "cityscapes": cityscapes,
    "pascal-voc": pascal_voc,
    "index-masks": index_masks,
    "yolo": yolo,
    "yolo-pose": yolo_pose,
    "labelme": labelme,
    "cvat": cvat,
    "label-studio": label_studio,
    "hf-imagefolder": hf_imagefolder,
}

#: Layouts of annotation tools, of which the long run shows more: the samples that they become are those of the others.
TOOLS = ("yolo", "yolo-pose", "labelme", "cvat", "label-studio", "hf-imagefolder")
