"""Drawn animals: a species' build in a random gait, and where AP-10K's 17 points are on it."""

from dataclasses import asdict, dataclass, replace

import numpy as np
from PIL import Image

from autommlab.data.embedded.backgrounds import background, camera
from autommlab.data.embedded.colours import Colour, shade
from autommlab.data.embedded.drawn import Drawn
from autommlab.data.embedded.figure import (
    DOWN,
    SUPER,
    BodyPart,
    Canvas,
    Capsule,
    box_and_area,
    owner_at,
    pitch,
    roll,
    silhouette,
    yaw,
)
from autommlab.data.embedded.occluders import hide_some
from autommlab.data.embedded.pose import LEFT, RIGHT
from autommlab.data.embedded.species import SPECIES, Build, Species, species_of
from autommlab.data.records import Instance, Split

_LETTERS = {LEFT: "L", RIGHT: "R"}
_PAIRED = ("fore upper", "fore lower", "fore foot", "hind upper", "hind lower", "hind foot", "eye", "ear", "horn")
#: Names of all parts; the number of a part is its place here, counted from 1.
PART_NAMES = (
    *("trunk", "neck", "head", "nose", "mane", "tail"),
    *(f"{letter} {part}" for part in _PAIRED for letter in "LR"),
)
#: Parts over which a coat's pattern is drawn.
COAT_PARTS = ("trunk", "neck", *(f"{s} {limb} upper" for limb in ("fore", "hind") for s in "LR"))
#: Part on top at a point -> the point counts as seen.
_SHOWS = {
    "Eye": ("{} eye",),
    "Nose": ("nose", "head"),
    "Neck": ("neck", "trunk", "mane", "head"),
    "Root of tail": ("tail", "trunk", "L hind upper", "R hind upper"),
    "Shoulder": ("trunk", "neck", "{} fore upper"),
    "Elbow": ("{} fore upper", "{} fore lower"),
    "F_Paw": ("{} fore lower", "{} fore foot"),
    "Hip": ("trunk", "{} hind upper"),
    "Knee": ("{} hind upper", "{} hind lower"),
    "B_Paw": ("{} hind lower", "{} hind foot"),
}


@dataclass(frozen=True, slots=True)
class Gait:
    """Angles of one animal, degrees.

    Attributes:
        facing: turn about the vertical; +90 looks right, -90 left.
        slope: of the trunk, positive = front down.
        neck_rise, head_fall, tail_fall: above, below, below the horizontal.
        swings: of the legs forward, by (limb "fore" or "hind", side).
        bends: of elbow or knee backward, same keys.
    """

    facing: float
    slope: float
    neck_rise: float
    head_fall: float
    tail_fall: float
    swings: dict[tuple[str, int], float]
    bends: dict[tuple[str, int], float]


def random_gait(species: Species, rng: np.random.Generator) -> Gait:
    """Standing, walking or galloping, looking left or right, the head up or at the grass."""
    stride = float(rng.choice([6.0, 22.0, 40.0]))
    swings, bends = {}, {}
    phase = rng.uniform(0, 2 * np.pi)
    for limb, side in ((limb, side) for limb in ("fore", "hind") for side in (LEFT, RIGHT)):
        turn = phase + (0.0 if side == LEFT else np.pi * rng.uniform(0.5, 1)) + (np.pi if limb == "hind" else 0)
        ahead = np.sin(turn)
        rest = 12.0 if limb == "hind" else 3.0
        swings[limb, side] = rest + stride * ahead + rng.normal(0, 3)
        lifted = max(0.0, np.cos(turn)) * stride * 1.3
        bends[limb, side] = (20.0 if limb == "hind" else 4.0) + lifted + rng.uniform(0, 10)
    grazing = rng.random() < 0.2
    return Gait(
        facing=float(rng.choice([-90, 90])) + float(np.clip(rng.normal(0, 16), -36, 36)),
        slope=rng.normal(0, 4),
        neck_rise=rng.uniform(-50, -15) if grazing else species.neck_rise + rng.normal(0, 12),
        head_fall=rng.uniform(35, 70) if grazing else rng.uniform(8, 42),
        tail_fall=species.tail_fall + rng.normal(0, 22),
        swings=swings,
        bends=bends,
    )


class Animal:
    """A species in a gait. Before `place`, lengths are shares of the trunk's, about the trunk's middle.

    Args:
        coat: colour; the species' pattern is drawn by the caller.
    """

    def __init__(self, species: Species, gait: Gait, coat: Colour) -> None:
        self.species, self.gait, self.coat = species, gait, coat
        build = species.build
        self.scale, self.x, self.y = 1.0, 0.0, 0.0
        self._turn = yaw(gait.facing) @ pitch(gait.slope)
        rise, fall, droop = np.deg2rad([gait.neck_rise, gait.head_fall, gait.tail_fall])
        self._neck_start = np.array([0, -0.45 * build.chest, 0.42])
        self._skull = self._neck_start + build.neck * np.array([0, -np.sin(rise), np.cos(rise)])
        self._muzzle = self._skull + build.head * np.array([0, np.sin(fall), np.cos(fall)])
        self._tail_start = np.array([0, -0.55 * build.rump, -0.42 - 0.6 * build.rump])
        self._tail_end = self._tail_start + build.tail * np.array([0, np.sin(droop), -np.cos(droop)])
        self._legs = {(limb, side): self._leg_points(limb, side) for limb, side in gait.swings}

    def place(self, scale: float, x: float, y: float) -> None:
        """Put it into the image: pixels of the trunk's length, then the trunk's middle in pixels."""
        self.scale, self.x, self.y = scale, x, y

    def outline(self) -> np.ndarray:
        """(n, 2) points that span the animal on the image plane, in pixels."""
        legs = [point for leg in self._legs.values() for point in leg]
        local = [self._skull, self._muzzle, self._tail_start, self._tail_end, *legs]
        return np.array([self._at(point)[:2] for point in local])

    def points(self) -> dict[str, np.ndarray]:
        """AP-10K's 17 points in pixels with depth, each of shape (3,), by name, in AP-10K's order."""
        found = {f"{letter}_Eye": self._at(self._eye(side)) for side, letter in _LETTERS.items()}
        found["Nose"] = self._at(self._muzzle)
        found["Neck"] = self._at(self._neck_start)
        found["Root of tail"] = self._at(self._tail_start)
        for limb, names in (("fore", ("Shoulder", "Elbow", "F_Paw")), ("hind", ("Hip", "Knee", "B_Paw"))):
            for side, letter in _LETTERS.items():
                for name, point in zip(names, self._legs[limb, side], strict=True):
                    found[f"{letter}_{name}"] = self._at(point)
        return found

    def visibility(self, name: str, point: np.ndarray, owner: int | None) -> int:
        """COCO's flag of a point, given the number of the part on top there (None: outside the image)."""
        if owner is None:
            return 0
        letter, kind = (name[0], name[2:]) if name[1] == "_" else ("", name)
        shown = {PART_NAMES.index(part.format(letter)) + 1 for part in _SHOWS[kind]}
        if kind in ("Shoulder", "Hip"):
            other = self.points()[("R" if letter == "L" else "L") + name[1:]]
            return 2 if owner in shown and point[2] >= other[2] else 1
        return 2 if owner in shown else 1

    def parts(self) -> list[BodyPart]:
        """Everything to draw."""
        legs = [part for key in self._legs for part in self._leg(*key)]
        return [*self._body(), *legs, *self._head()]

    def _at(self, local: np.ndarray) -> np.ndarray:
        """Local point (x to its left, y down, z forward) to pixels, shape (3,)."""
        turned: np.ndarray = self._turn @ local * self.scale
        return turned + np.array([self.x, self.y, 0.0])

    def _leg_points(self, limb: str, side: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        build = self.species.build
        radius, front = (build.chest, 0.38) if limb == "fore" else (build.rump, -0.40)
        top = np.array([side * 0.6 * radius, 0.35 * radius, front])
        thigh = roll(side * 3) @ pitch(-self.gait.swings[limb, side])
        middle = top + thigh @ DOWN * (0.5 * build.leg)
        end = middle + thigh @ pitch(self.gait.bends[limb, side]) @ DOWN * (0.5 * build.leg)
        return top, middle, end

    def _eye(self, side: int) -> np.ndarray:
        along = self._muzzle - self._skull
        up = np.array([0.0, -along[2], along[1]]) / max(float(np.linalg.norm(along)), 1e-6)
        radius = self.species.build.head_radius
        return self._skull + along * 0.28 + up * (0.3 * radius) + np.array([side * 0.82 * radius, 0, 0])

    def _rod(self, start: np.ndarray, end: np.ndarray, first: float, second: float) -> Capsule:
        return Capsule(self._at(start), self._at(end), first * self.scale, second * self.scale)

    def _part(self, name: str, colour: Colour, *rods: Capsule, lift: float = 0.0, rim: bool = True) -> BodyPart:
        return BodyPart(PART_NAMES.index(name) + 1, colour, rods, lift * self.scale, rim)

    def _body(self) -> list[BodyPart]:
        build = self.species.build
        chest, rump = np.array([0, 0, 0.38]), np.array([0, 0, -0.42])
        rods = [self._rod(chest, rump, build.chest, build.rump)]
        if self.species.pattern == "wool":
            rods += self._wool()
        fluffy = build.tail_radius > 0.08
        tip = build.tail_radius * (0.5 if fluffy else 0.7)
        middle = self._tail_start * 0.5 + self._tail_end * 0.5
        tail = (
            self._rod(self._tail_start, middle, 0.6 * build.tail_radius, build.tail_radius),
            self._rod(middle, self._tail_end, build.tail_radius, tip),
        )
        neck = self._rod(self._neck_start, self._skull, build.neck_radius, 0.75 * build.neck_radius)
        parts = [
            self._part("trunk", self.coat, *rods),
            self._part("tail", self.species.mark if self.species.mane else self.coat, *tail, lift=-0.02),
            self._part("neck", self.coat, neck, lift=0.01),
        ]
        if self.species.mane:
            behind = np.array([0, -0.4, -0.8]) * build.neck_radius
            crest = self._rod(self._neck_start + behind, self._skull + behind, 0.055, 0.05)
            parts.append(self._part("mane", self.species.mark, crest, lift=0.02))
        return parts

    def _wool(self) -> list[Capsule]:
        """Curls around the trunk's outline."""
        curls = []
        for angle in np.linspace(0, 2 * np.pi, 15)[:-1]:
            spot = np.array([0, 0.82 * self.species.build.chest * np.sin(angle), 0.56 * np.cos(angle)])
            curls.append(self._rod(spot, spot, 0.13, 0.13))
        return curls

    def _leg(self, limb: str, side: int) -> list[BodyPart]:
        top, middle, end = self._legs[limb, side]
        letter, radius = _LETTERS[side], self.species.build.leg_radius
        near = self._at(top)[2] >= self._at(top * (-1, 1, 1))[2]
        coat = self.coat if near else shade(self.coat, 0.75)
        thick = radius * (1.5 if limb == "hind" else 1.2)
        toe = end + np.array([0, 0.015, 0.05])
        lift = 0.12 if near else -0.12
        shin = self._rod(middle, end, 0.72 * radius, 0.5 * radius)
        hoof = self._rod(end, toe, 0.55 * radius, 0.5 * radius)
        return [
            self._part(f"{letter} {limb} foot", (60, 50, 45), hoof, lift=lift - 0.02),
            self._part(f"{letter} {limb} lower", coat, shin, lift=lift),
            self._part(f"{letter} {limb} upper", coat, self._rod(top, middle, thick, 0.72 * radius), lift=lift + 0.01),
        ]

    def _head(self) -> list[BodyPart]:
        build = self.species.build
        light = shade(self.coat, 1.12)
        face = self._rod(self._skull, self._muzzle, build.head_radius, build.muzzle)
        tip = self._rod(self._muzzle, self._muzzle, 0.5 * build.muzzle, 0.5 * build.muzzle)
        parts = [
            self._part("head", self.coat, face, lift=0.16),
            self._part("nose", self.species.snout, tip, lift=0.30, rim=False),
        ]
        centre = self._at(self._skull)[2]
        for side, letter in _LETTERS.items():
            eye = self._eye(side)
            if self._at(eye)[2] > centre:
                size = max(0.12 * build.head_radius, 1.1 / self.scale)
                parts.append(
                    self._part(f"{letter} eye", (20, 16, 16), self._rod(eye, eye, size, size), lift=0.2, rim=False)
                )
            near = 0.22 if self._at(eye)[2] > centre else 0.05
            parts.append(self._part(f"{letter} ear", light, self._ear(side), lift=near))
            if self.species.horns != "none":
                parts.append(self._part(f"{letter} horn", (225, 210, 175), *self._horn(side), lift=near - 0.02))
        return parts

    def _ear(self, side: int) -> Capsule:
        build = self.species.build
        root = self._skull + np.array([side * 0.6 * build.head_radius, -0.75 * build.head_radius, -0.02])
        ways = {"pointed": (0.35, -1.0, -0.1), "round": (0.3, -0.7, 0.0), "floppy": (0.5, 0.75, -0.35)}
        tip = root + np.array(ways[self.species.ears]) * (side, 1, 1) * build.ear
        wide = 0.34 * build.ear
        return self._rod(root, tip, wide, 0.15 * wide if self.species.ears == "pointed" else wide * 1.1)

    def _horn(self, side: int) -> list[Capsule]:
        radius = self.species.build.head_radius
        root = self._skull + np.array([side * 0.4 * radius, -0.85 * radius, 0.02])
        if self.species.horns == "knobs":
            return [self._rod(root, root + np.array([0, -0.12, -0.02]), 0.025, 0.035)]
        if self.species.horns == "curved":
            bow = root + np.array([side * 0.10, -0.08, 0.04])
            return [self._rod(root, bow, 0.035, 0.03), self._rod(bow, bow + np.array([0, -0.1, 0.06]), 0.03, 0.012)]
        fork, top = root + np.array([side * 0.06, -0.16, -0.06]), root + np.array([side * 0.12, -0.36, 0.0])
        prongs = [(root, fork), (fork, top), (fork, fork + np.array([0, -0.06, 0.13]))]
        return [self._rod(start, end, 0.022, 0.016) for start, end in prongs]


#: (width, height) of the images in pixels.
SIZE = (128, 128)
_CROPPED = 0.15
_LABELS = {species.name: label for label, species in enumerate(SPECIES)}


def draw_animal(block: str, split: Split, rng: np.random.Generator) -> Drawn:
    """A 128 px picture of one animal of species `block`.

    The box encloses all of the animal that lies in the image, also where something is in front.
    """
    species = _individual(species_of(block), rng)
    coat = shade(species.coats[int(rng.integers(len(species.coats)))], rng.uniform(0.8, 1.1))
    animal = Animal(species, random_gait(species, rng), coat)
    _fit(animal, rng)
    canvas = Canvas(background(rng, SIZE))
    canvas.draw(animal.parts())
    owner = canvas.owner()
    mask = silhouette(owner, 1, len(PART_NAMES))
    image = _pattern(canvas.finish(), owner, species, animal.scale, rng)
    image, hidden = hide_some(image, [mask], rng)
    points = []
    for name, point in animal.points().items():
        x, y = float(point[0]), float(point[1])
        flag = animal.visibility(name, point, owner_at(owner, x, y))
        if flag == 2 and hidden[int(y), int(x)]:
            flag = 1
        points.append((round(x, 2), round(y, 2), flag) if flag else (0.0, 0.0, 0))
    box, area = box_and_area(mask)
    return Drawn(camera(image, rng), split, instances=(Instance(_LABELS[block], box, tuple(points), area=area),))


def _individual(species: Species, rng: np.random.Generator) -> Species:
    """The species with proportions of one animal: every length differs a little."""
    lengths = asdict(species.build)
    build = Build(**{name: length * rng.uniform(0.86, 1.16) for name, length in lengths.items()})
    return replace(species, build=build)


def _fit(animal: Animal, rng: np.random.Generator) -> None:
    """Scale and place it so that it lies in the image, except that some are cropped."""
    build = animal.species.build
    flesh = max(build.chest, build.rump, build.head_radius) * 0.8
    spread = animal.outline()
    low, high = spread.min(axis=0) - flesh, spread.max(axis=0) + flesh
    scale = float((np.array(SIZE) * rng.uniform(0.68, 0.97) / (high - low)).min())
    loose = np.abs(np.array(SIZE) - (high - low) * scale) / 2
    if rng.random() < _CROPPED:
        scale *= rng.uniform(1.15, 1.5)
        loose = np.array(SIZE) * 0.12
    centre = np.array(SIZE) / 2 + rng.uniform(-1, 1, 2) * loose
    x, y = centre - (low + high) / 2 * scale
    animal.place(scale, float(x), float(y))


def _pattern(
    image: Image.Image, owner: np.ndarray, species: Species, scale: float, rng: np.random.Generator
) -> Image.Image:
    """Stripes, spots or patches on the coat; `scale` is pixels of the trunk's length."""
    if species.pattern in ("plain", "wool"):
        return image
    middles = owner[SUPER // 2 :: SUPER, SUPER // 2 :: SUPER]
    numbers = [PART_NAMES.index(name) + 1 for name in COAT_PARTS]
    marked = np.isin(middles, numbers) & _field(species.pattern, middles.shape, scale, rng)
    pixels = np.asarray(image).copy()
    pixels[marked] = (0.25 * pixels[marked] + 0.75 * np.array(species.mark)).astype(np.uint8)
    return Image.fromarray(pixels, "RGB")


def _field(kind: str, shape: tuple[int, int], scale: float, rng: np.random.Generator) -> np.ndarray:
    """(height, width) bool: where the mark lies."""
    rows, columns = np.mgrid[0 : shape[0], 0 : shape[1]]
    if kind == "stripes":
        period = scale * rng.uniform(0.11, 0.16)
        waver = 1.2 * np.sin(rows * (2 * np.pi / (scale * 0.5)) + rng.uniform(0, 6))
        slant = rng.uniform(-0.3, 0.3)
        return np.sin((columns + slant * rows) * (2 * np.pi / period) + waver) > 0.15
    cells = max(3, round(shape[0] / (scale * (0.13 if kind == "spots" else 0.26))))
    noise = Image.fromarray(rng.integers(0, 256, (cells, cells), dtype=np.uint8), "L")
    smooth = np.asarray(noise.resize((shape[1], shape[0]), Image.Resampling.BICUBIC))
    return smooth > (190 if kind == "spots" else 140)
