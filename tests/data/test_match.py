"""Objects of requests against the classes of COCO, ImageNet and small sets."""

import runpy
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autommlab.data.match import closest_classes, match_classes, things
from autommlab.data.senses import ClassSenses
from autommlab.data.wordnet import wordnet
from autommlab.tasks import Task

_COCO_NAMES = """
    person, bicycle, car, motorcycle, airplane, bus, train, truck, boat, traffic light, fire hydrant, stop sign,
    parking meter, bench, bird, cat, dog, horse, sheep, cow, elephant, bear, zebra, giraffe, backpack, umbrella,
    handbag, tie, suitcase, frisbee, skis, snowboard, sports ball, kite, baseball bat, baseball glove, skateboard,
    surfboard, tennis racket, bottle, wine glass, cup, fork, knife, spoon, bowl, banana, apple, sandwich, orange,
    broccoli, carrot, hot dog, pizza, donut, cake, chair, couch, potted plant, bed, dining table, toilet, tv, laptop,
    mouse, remote, keyboard, cell phone, microwave, oven, toaster, sink, refrigerator, book, clock, vase, scissors,
    teddy bear, hair drier, toothbrush
"""
COCO = [name.strip() for name in _COCO_NAMES.split(",")]
BLOOD = ["RBC", "WBC", "Platelets"]
DIGITS = list("0123456789")
HELMETS = ["helmet", "no-helmet", "person", "vest"]


def _names(objects: list[str], classes: list[str], aliases: dict[str, tuple[str, ...]] | None = None) -> dict:
    match = match_classes(objects, classes, aliases or {})
    return {thing: {c.name for c in found} for thing, found in match.targets.items()}


def _kind(thing: str, classes: list[str], aliases: dict[str, tuple[str, ...]] | None = None) -> tuple[str, str]:
    ((found, *_),) = match_classes([thing], classes, aliases or {}).targets.values()
    return found.name, found.kind


@pytest.mark.parametrize(
    ("thing", "classes", "name", "kind"),
    [
        ("Traffic-light", COCO, "traffic light", "exact"),
        ("birds", COCO, "bird", "plural"),
        ("people", COCO, "person", "plural"),
        ("skis", COCO, "skis", "exact"),
        ("wine glasses", COCO, "wine glass", "plural"),
        ("plane", COCO, "airplane", "synonym"),
        ("sofas", COCO, "couch", "synonym"),
        ("bike", COCO, "bicycle", "synonym"),
        ("human", COCO, "person", "synonym"),
        ("mobile phones", COCO, "cell phone", "synonym"),
        ("pedestrian", COCO, "person", "near"),
        ("red blood cell", BLOOD, "RBC", "initials"),
        ("white blood cells", BLOOD, "WBC", "initials"),
        ("healthy tomatoes", ["Tomato___blight", "Tomato___healthy"], "Tomato___healthy", "order"),
        ("healthy pepper bell", ["Pepper,_bell___healthy", "Pepper,_bell___spot"], "Pepper,_bell___healthy", "order"),
        ("erythrocyte", BLOOD, "RBC", "synonym"),
        ("platelet", BLOOD, "Platelets", "plural"),
        ("nuclei", ["background", "nucleus"], "nucleus", "plural"),
        ("cell nucleus", ["background", "nucleus"], "nucleus", "synonym"),
        ("helmets", HELMETS, "helmet", "plural"),
        ("hard hat", HELMETS, "helmet", "synonym"),
        ("sheep", ["sheep"], "sheep", "exact"),
        ("glasses", ["glass", "fork"], "glass", "plural"),
        ("honey bee", ["bee"], "bee", "near"),
        ("tabby cat", ["n02123045", "n02121808"], "n02123045", "synonym"),
        ("tench", ["tench, Tinca tinca", "goldfish, Carassius auratus"], "tench, Tinca tinca", "exact"),
        ("Carassius auratus", ["tench, Tinca tinca", "goldfish, Carassius auratus"], "goldfish, Carassius auratus",
         "alias"),
        ("sneaker", ["running shoe", "sandal"], "running shoe", "near"),
        ("running shoe", ["sandal", "sneaker", "boot"], "sneaker", "near"),
        ("running shoe", ["shoe", "hat"], "shoe", "near"),
        ("factory helmet", HELMETS, "helmet", "near"),
    ],
)  # fmt: skip
def test_one_object(thing: str, classes: list[str], name: str, kind: str) -> None:
    assert _kind(thing, classes) == (name, kind)


def test_alias_comes_before_meaning() -> None:
    assert _kind("gnu", ["cat", "antelope"], {"antelope": ("gnu", "wildebeest")}) == ("antelope", "alias")
    assert _kind("kitties", ["cat", "dog"], {"cat": ("kitty",)}) == ("cat", "alias")


@pytest.mark.parametrize(
    ("thing", "names"),
    [
        ("animals", {"bird", "cat", "dog", "horse", "sheep", "cow", "elephant", "bear", "zebra", "giraffe"}),
        ("vehicle", {"bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat", "skateboard"}),
        ("fruit", {"banana", "apple", "orange"}),
        ("vegetables", {"broccoli", "carrot"}),
        ("furniture", {"bench", "chair", "couch", "bed", "dining table"}),
        ("bird", {"bird"}),
        ("dog", {"dog"}),
        ("person", {"person"}),
    ],
)
def test_general_nouns_take_what_is_below_them_in_coco(thing: str, names: set[str]) -> None:
    assert _names([thing], COCO) == {thing: names}


@pytest.mark.parametrize("thing", ["helmet", "weapon", "running shoe", "billboard", "glasses", "red", "fish", ""])
def test_remote_senses_match_nothing_in_coco(thing: str) -> None:
    assert match_classes([thing], COCO, {}).missing == (thing,)


def test_the_company_of_a_class_settles_its_meaning() -> None:
    assert _names(["animal"], ["cat", "dog", "mouse"]) == {"animal": {"cat", "dog", "mouse"}}
    assert _names(["animal"], ["cat", "keyboard", "laptop", "mouse"]) == {"animal": {"cat"}}
    assert _names(["bird"], ["crane", "heron", "eagle"]) == {"bird": {"crane", "heron", "eagle"}}
    assert match_classes(["bird"], ["crane", "excavator", "dumper"], {}).missing == ("bird",)
    assert _names(["animal"], ["bat", "owl", "cat"]) == {"animal": {"bat", "owl", "cat"}}


def test_a_class_goes_to_the_most_specific_object() -> None:
    names = _names(["animal", "bird", "dog"], [*COCO, "eagle"])
    assert names["bird"] == {"bird", "eagle"}
    assert names["dog"] == {"dog"}
    assert names["animal"] == {"cat", "horse", "sheep", "cow", "elephant", "bear", "zebra", "giraffe"}


def test_two_names_of_one_thing() -> None:
    match = match_classes(["bicycle", "bike"], COCO, {})
    assert match.repeated == {"bike": "bicycle"}
    assert not match.missing


@pytest.mark.parametrize("thing", ["digit", "numbers", "handwritten digits"])
def test_digits_are_all_classes(thing: str) -> None:
    assert _names([thing], DIGITS) == {thing: set(DIGITS)}


def test_blood_cells_are_all_three() -> None:
    assert _names(["blood cell"], BLOOD) == {"blood cell": set(BLOOD)}


def test_a_negated_class_is_not_the_thing() -> None:
    assert _names(["helmet"], HELMETS) == {"helmet": {"helmet"}}
    assert _names(["headdress"], HELMETS) == {"headdress": {"helmet"}}


def test_only_a_mask_has_a_background() -> None:
    names = ["background", "cell", "cell"]
    assert {task: things(names, task) for task in Task} == {
        task: ["cell"] if task is Task.SEGMENTATION else ["background", "cell"] for task in Task
    }
    assert _names(["background"], names[:2]) == {"background": {"background"}}


def test_thousand_classes_of_imagenet() -> None:
    """At least 930 of ImageNet's 1,000 names get the meaning that their WordNet id says."""
    package, timm = find_spec("mmpretrain"), find_spec("timm")
    assert package and package.submodule_search_locations and timm and timm.submodule_search_locations
    categories = runpy.run_path(str(Path(package.submodule_search_locations[0]) / "datasets" / "categories.py"))
    names = list(categories["IMAGENET_CATEGORIES"])
    ids = (Path(timm.submodule_search_locations[0]) / "data/_info/imagenet_synsets.txt").read_text().split()
    meaning = ClassSenses(names, {}).meaning
    found = [meaning[name] for name in names]
    right = sum(f is not None and f.offset == int(wnid[1:]) for f, wnid in zip(found, ids, strict=True))
    assert len(ids) == len(names) == 1000
    assert right >= 930
    matched = _names(["bird", "dog", "car"], names)
    assert (len(matched["bird"]), len(matched["dog"])) == (57, 119)
    assert {"cab, hack, taxi, taxicab", "minivan"} <= matched["car"]


def test_nearest_classes_for_an_error() -> None:
    assert "dog" in closest_classes("wolf", COCO)
    assert closest_classes("trafic ligth", COCO)[0] == "traffic light"
    assert set(closest_classes("forklift", COCO)) & {"truck", "car", "motorcycle"}


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.sampled_from(["bird", "animals", "vehicle", "dog", "zzz", "digit", "food", "bike"]), max_size=4),
    st.lists(st.sampled_from([*COCO, "0", "eagle"]), max_size=12),
)
def test_every_class_serves_one_object_at_most(objects: list[str], classes: list[str]) -> None:
    match = match_classes(objects, classes, {})
    used = [c.name for found in match.targets.values() for c in found]
    assert len(used) == len(set(used))
    assert set(used) <= set(classes)
    assert set(match.targets) | set(match.missing) | set(match.repeated) == set(objects)
    assert all(match.targets.values())


def test_class_named_by_imagenet_id_has_that_meaning() -> None:
    (synset,) = ClassSenses(["n02123045"], {}).meaning.values()
    assert synset == wordnet().by_imagenet_id("n02123045")
