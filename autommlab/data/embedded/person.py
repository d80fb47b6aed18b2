"""Drawn people: clothes, hair and skin put on a posed skeleton, and where the 17 COCO points are."""

from dataclasses import dataclass

import numpy as np

from autommlab.data.embedded.backgrounds import background, camera
from autommlab.data.embedded.colours import Colour, shade
from autommlab.data.embedded.drawn import Drawn
from autommlab.data.embedded.figure import BodyPart, Canvas, Capsule, box_and_area, owner_at, silhouette
from autommlab.data.embedded.occluders import hide_some
from autommlab.data.embedded.pose import LEFT, RIGHT, Body, Joints, joints_of, random_body, random_pose
from autommlab.data.records import Instance, Split

_SIDE_NAMES = {LEFT: "left", RIGHT: "right"}
_PAIRED = ("ear", "eye", "upper arm", "sleeve", "forearm", "hand", "thigh", "shin", "shoe")
#: Names of all parts; the number of a part is its place here, counted from 1.
PART_NAMES = (
    *("hair", "face", "nose", "mouth", "neck", "trunk", "pelvis", "skirt"),
    *(f"{side} {part}" for part in _PAIRED for side in ("left", "right")),
)
_HEAD = ("hair", "face", "nose", "mouth", "left ear", "right ear", "left eye", "right eye")
#: Part on top at a joint -> the joint counts as seen.
_SHOWS = {
    "shoulder": ("trunk", "neck", "{} upper arm", "{} sleeve"),
    "elbow": ("{} upper arm", "{} sleeve", "{} forearm"),
    "wrist": ("{} forearm", "{} hand"),
    "hip": ("trunk", "pelvis", "skirt", "{} thigh"),
    "knee": ("{} thigh", "{} shin", "skirt"),
    "ankle": ("{} shin", "{} shoe"),
    "ear": ("{} ear",),
    "eye": _HEAD,
    "nose": _HEAD,
}
_SKIN = ((255, 219, 190), (241, 194, 150), (224, 172, 105), (198, 134, 66), (141, 85, 36), (92, 58, 32))
_HAIR = ((30, 24, 20), (80, 50, 30), (140, 90, 45), (215, 175, 90), (165, 60, 35), (170, 170, 170))


@dataclass(frozen=True, slots=True)
class Outfit:
    """Colours and cut.

    Attributes:
        sleeves: share of the arm covered: 0 none, 0.6 short, 1 long.
        bottoms: "long", "short" or "skirt".
        girth: factor of all thicknesses.
    """

    skin: Colour
    hair: Colour
    shirt: Colour
    trousers: Colour
    shoes: Colour
    sleeves: float
    bottoms: str
    long_hair: bool
    girth: float


def random_outfit(rng: np.random.Generator) -> Outfit:
    """Skin and hair from natural tones, clothes of any colour."""

    def tone(palette: tuple[Colour, ...]) -> Colour:
        return shade(palette[int(rng.integers(len(palette)))], rng.uniform(0.88, 1.08))

    def cloth() -> Colour:
        red, green, blue = rng.integers(15, 245, 3).tolist()
        return red, green, blue

    return Outfit(
        skin=tone(_SKIN),
        hair=tone(_HAIR),
        shirt=cloth(),
        trousers=cloth(),
        shoes=shade(cloth(), 0.6),
        sleeves=float(rng.choice([0.0, 0.6, 1.0])),
        bottoms=str(rng.choice(["long", "long", "short", "skirt"])),
        long_hair=bool(rng.random() < 0.4),
        girth=rng.uniform(0.85, 1.25),
    )


@dataclass(frozen=True, slots=True)
class Placement:
    """How a skeleton is put into the image: pixels per body height, then the hips' middle in pixels."""

    scale: float
    x: float
    y: float

    def point(self, where: np.ndarray) -> np.ndarray:
        """A point of the skeleton in pixels, shape (3,)."""
        return where * self.scale + np.array([self.x, self.y, 0.0])


class Person:
    """A dressed skeleton at its place in the image.

    Args:
        first: number before that of its first part.
    """

    def __init__(self, body: Body, joints: Joints, outfit: Outfit, at: Placement, first: int) -> None:
        self.joints, self.outfit, self.at, self.first = joints, outfit, at, first
        self.head_radius = body.head * at.scale
        self._centre = at.point(joints.head)

    @property
    def last(self) -> int:
        """Number of its last part."""
        return self.first + len(PART_NAMES)

    def parts(self) -> list[BodyPart]:
        """Everything to draw."""
        paired = [part for side in (LEFT, RIGHT) for part in (*self._arm(side), *self._leg(side))]
        return [*self._trunk(), *paired, *self._head_parts()]

    def points(self) -> dict[str, np.ndarray]:
        """COCO's 17 points in pixels with depth, each of shape (3,), by COCO's name, in COCO's order."""
        found = {"nose": self._on_head(0, 0.15, 1.0)}
        for name, (x, y, z) in {"eye": (0.38, -0.08, 0.9), "ear": (0.98, 0.05, 0.0)}.items():
            for side, word in _SIDE_NAMES.items():
                found[f"{word}_{name}"] = self._on_head(side * x, y, z)
        for name in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle"):
            for side, word in _SIDE_NAMES.items():
                found[f"{word}_{name}"] = self.at.point(getattr(self.joints, f"{name}s")[side])
        return found

    def visibility(self, name: str, point: np.ndarray, owner: int | None) -> int:
        """COCO's flag of a point, given the number of the part on top there (None: outside the image)."""
        if owner is None:
            return 0
        word, _, joint = name.rpartition("_")
        if joint in ("eye", "nose") and self.joints.head_turn[2, 2] < -0.2:
            # COCO leaves the face of somebody who turns the back unlabelled.
            return 0
        shown = {self._number(part.format(word)) for part in _SHOWS[joint]}
        return 2 if owner in shown and not self._turned_away(joint, word, point) else 1

    def _turned_away(self, joint: str, word: str, point: np.ndarray) -> bool:
        if joint == "eye":
            return bool(point[2] - self._centre[2] < 0.05 * self.head_radius)
        if joint in ("shoulder", "hip"):
            other = "right" if word == "left" else "left"
            depth = point[2] - self.points()[f"{other}_{joint}"][2]
            return bool(depth < -0.12 * self.at.scale)
        return False

    def _number(self, name: str) -> int:
        return self.first + 1 + PART_NAMES.index(name)

    def _on_head(self, x: float, y: float, z: float) -> np.ndarray:
        """A point of the head in pixels; x to its left, y down, z forward, in head radii."""
        offset: np.ndarray = self.joints.head_turn @ np.array([x, y, z]) * self.head_radius
        return self._centre + offset

    def _rod(self, start: np.ndarray, end: np.ndarray, first: float, second: float) -> Capsule:
        """A rod between two points of the skeleton; radii are shares of the height."""
        thick = self.at.scale * self.outfit.girth
        return Capsule(self.at.point(start), self.at.point(end), first * thick, second * thick)

    def _part(self, name: str, colour: Colour, *rods: Capsule, lift: float = 0.0) -> BodyPart:
        return BodyPart(self._number(name), colour, rods, lift * self.at.scale)

    def _trunk(self) -> list[BodyPart]:
        j, out = self.joints, self.outfit
        waist = {side: j.shoulders[side] * 0.15 + j.hips[side] * 0.85 for side in (LEFT, RIGHT)}
        top = (j.shoulders[LEFT] + j.shoulders[RIGHT]) / 2
        bottom = (waist[LEFT] + waist[RIGHT]) / 2
        shirt = [
            self._rod(j.shoulders[LEFT], j.shoulders[RIGHT], 0.04, 0.04),
            self._rod(waist[LEFT], waist[RIGHT], 0.05, 0.05),
            self._rod(top * 0.8 + bottom * 0.2, bottom, 0.085, 0.075),
            *(self._rod(j.shoulders[side], waist[side], 0.04, 0.05) for side in (LEFT, RIGHT)),
        ]
        parts = [
            self._part("neck", out.skin, self._rod(j.neck, j.head, 0.032, 0.032), lift=-0.01),
            self._part("trunk", out.shirt, *shirt),
            self._part("pelvis", out.trousers, self._rod(j.hips[LEFT], j.hips[RIGHT], 0.06, 0.06), lift=-0.01),
        ]
        if out.bottoms == "skirt":
            hems = {side: j.hips[side] * 0.25 + j.knees[side] * 0.75 for side in (LEFT, RIGHT)}
            cloth = [self._rod(j.hips[side], hems[side], 0.06, 0.075) for side in (LEFT, RIGHT)]
            cloth.append(self._rod(hems[LEFT], hems[RIGHT], 0.075, 0.075))
            parts.append(self._part("skirt", out.trousers, *cloth, lift=0.005))
        return parts

    def _arm(self, side: int) -> list[BodyPart]:
        j, out, word = self.joints, self.outfit, _SIDE_NAMES[side]
        shoulder, elbow, wrist = j.shoulders[side], j.elbows[side], j.wrists[side]
        sleeved = out.shirt if out.sleeves == 1 else out.skin
        palm = wrist + (wrist - elbow) * 0.2
        parts = [
            self._part(f"{word} upper arm", sleeved, self._rod(shoulder, elbow, 0.036, 0.028), lift=0.02),
            self._part(f"{word} forearm", sleeved, self._rod(elbow, wrist, 0.028, 0.021), lift=0.025),
            self._part(f"{word} hand", out.skin, self._rod(wrist, palm, 0.021, 0.026), lift=0.022),
        ]
        if 0 < out.sleeves < 1:
            cuff = shoulder + (elbow - shoulder) * out.sleeves
            sleeve = self._rod(shoulder, cuff, 0.041, 0.036)
            parts.append(self._part(f"{word} sleeve", out.shirt, sleeve, lift=0.026))
        return parts

    def _leg(self, side: int) -> list[BodyPart]:
        j, out, word = self.joints, self.outfit, _SIDE_NAMES[side]
        hip, knee, ankle = j.hips[side], j.knees[side], j.ankles[side]
        thigh = out.skin if out.bottoms == "skirt" else out.trousers
        shin = out.trousers if out.bottoms == "long" else out.skin
        return [
            self._part(f"{word} shoe", out.shoes, self._rod(ankle, j.toes[side], 0.026, 0.024), lift=-0.025),
            self._part(f"{word} shin", shin, self._rod(knee, ankle, 0.037, 0.026), lift=-0.02),
            self._part(f"{word} thigh", thigh, self._rod(hip, knee, 0.052, 0.039), lift=-0.015),
        ]

    def _head_parts(self) -> list[BodyPart]:
        out = self.outfit
        forward = self.joints.head_turn[2, 2]
        hair = [self._ball((0, -0.12, -0.12), 1.04)]
        if out.long_hair:
            hair.append(self._bar((0, 0, -0.35), (0, 1.25, -0.45), 0.9, 0.75))
        parts = [self._on_top("hair", out.hair, hair, 0.0)]
        if forward > -0.25:
            parts.append(self._on_top("face", out.skin, [self._ball((0, 0.18, 0.3), 0.82)], 0.15))
            mouth = self._bar((-0.25, 0.55, 0.8), (0.25, 0.55, 0.8), 0.07, 0.07)
            if forward > 0.3:
                parts.append(self._on_top("mouth", (150, 50, 50), [mouth], 0.35))
            nose = self._bar((0, 0.05, 1.0), (0, 0.22, 1.02), 0.08, 0.11)
            parts.append(self._on_top("nose", shade(out.skin, 0.8), [nose], 0.4))
        for side, word in _SIDE_NAMES.items():
            ear, eye = self._ball((side * 0.98, 0.05, 0), 0.2), self._ball((side * 0.38, -0.08, 0.9), 0.12)
            if ear.start[2] - self._centre[2] > -0.35 * self.head_radius:
                parts.append(self._on_top(f"{word} ear", shade(out.skin, 0.92), [ear], 0.2))
            if eye.start[2] - self._centre[2] > 0.05 * self.head_radius:
                parts.append(self._on_top(f"{word} eye", (25, 20, 25), [eye], 0.4))
        return parts

    def _on_top(self, name: str, colour: Colour, rods: list[Capsule], lift: float) -> BodyPart:
        outlined = name in ("hair", "face") or name.endswith("ear")
        return BodyPart(self._number(name), colour, tuple(rods), lift * self.head_radius, outlined)

    def _ball(self, where: tuple[float, float, float], radius: float) -> Capsule:
        return self._bar(where, where, radius, radius)

    def _bar(
        self,
        start: tuple[float, float, float],
        end: tuple[float, float, float],
        first: float,
        second: float,
    ) -> Capsule:
        """A rod on the head; everything in head radii."""
        radius = self.head_radius
        return Capsule(self._on_head(*start), self._on_head(*end), first * radius, second * radius)


#: (width, height) of the images in pixels.
SIZE = (128, 160)
_TWO, _CROPPED = 0.25, 0.2
#: Room around the joints for flesh and clothes, shares of the body height.
_FLESH = np.array([0.06, 0.06])


def draw_people(block: str, split: Split, rng: np.random.Generator) -> Drawn:
    """A 128 x 160 px picture of one or two people; `block` is the class name, always "person".

    Boxes enclose all of a person that lies in the image, also where something is in front.
    """
    canvas = Canvas(background(rng, SIZE))
    slots = (0.32, 0.68) if rng.random() < _TWO else (0.5,)
    people: list[Person] = []
    masks = []
    for slot in slots:
        person = _random_person(rng, slot, alone=len(slots) == 1, first=people[-1].last if people else 0)
        canvas.draw(person.parts())
        masks.append(silhouette(canvas.owner(), person.first + 1, person.last))
        people.append(person)
    image = canvas.finish()
    image, hidden = hide_some(image, masks, rng)
    instances = tuple(
        _annotate(person, mask, canvas.owner(), hidden) for person, mask in zip(people, masks, strict=True)
    )
    return Drawn(camera(image, rng), split, instances=instances)


def _random_person(rng: np.random.Generator, slot: float, *, alone: bool, first: int) -> Person:
    body, pose = random_body(rng), random_pose(rng)
    joints = joints_of(body, pose)
    return Person(body, joints, random_outfit(rng), _fit(rng, joints, slot, alone=alone), first)


def _fit(rng: np.random.Generator, joints: Joints, slot: float, *, alone: bool) -> Placement:
    """Scale and place a skeleton so that it lies in the image, except that some are cropped."""
    ends = [joints.head, *joints.wrists.values(), *joints.elbows.values(), *joints.hips.values()]
    ends += [*joints.knees.values(), *joints.toes.values(), *joints.shoulders.values()]
    flat = np.array(ends)[:, :2]
    low, high = flat.min(axis=0) - _FLESH, flat.max(axis=0) + _FLESH
    low[1] = min(low[1], joints.head[1] - 0.12)
    extent = high - low
    fill = rng.uniform(0.7, 0.96)
    room = np.array(SIZE) * (fill if alone else fill * np.array([0.66, 0.95]))
    scale = min(float((room / extent).min()), 165.0)
    loose = np.abs(np.array(SIZE) - extent * scale) / 2
    if rng.random() < _CROPPED:
        scale *= rng.uniform(1.2, 1.7)
        loose = np.array(SIZE) * 0.12
    elif not alone:
        loose[0] = 4
    centre = np.array(SIZE) * (slot, 0.5) + rng.uniform(-1, 1, 2) * loose
    x, y = centre - (low + high) / 2 * scale
    return Placement(scale, float(x), float(y))


def _annotate(person: Person, mask: np.ndarray, owner: np.ndarray, hidden: np.ndarray) -> Instance:
    points = []
    for name, point in person.points().items():
        x, y = float(point[0]), float(point[1])
        flag = person.visibility(name, point, owner_at(owner, x, y))
        if flag == 2 and hidden[int(y), int(x)]:
            flag = 1
        points.append((round(x, 2), round(y, 2), flag) if flag else (0.0, 0.0, 0))
    box, area = box_and_area(mask)
    return Instance(0, box, tuple(points), area=area)
