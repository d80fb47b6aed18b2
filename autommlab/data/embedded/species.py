"""The drawn four-legged animals: build, coat and names of each species."""

from dataclasses import dataclass
from typing import Literal

from autommlab.data.embedded.colours import Colour


@dataclass(frozen=True, slots=True)
class Build:
    """Lengths of an animal, shares of the distance from chest to rump.

    Attributes:
        chest, rump: radius of the trunk in front and behind.
        leg, leg_radius: length of a leg and its radius at the top.
        neck, neck_radius: length, radius at the base.
        head, head_radius, muzzle: length from skull to nose, radius of the skull, radius of the nose's end.
        tail, tail_radius, ear: lengths of tail and ear, radius of the tail.
    """

    chest: float
    rump: float
    leg: float
    leg_radius: float
    neck: float
    neck_radius: float
    head: float
    head_radius: float
    muzzle: float
    tail: float
    tail_radius: float
    ear: float


@dataclass(frozen=True, slots=True)
class Species:
    """What all animals of a kind share.

    Attributes:
        name, aliases: class and its other names.
        coats: usual colours.
        build: of the average animal.
        neck_rise, tail_fall: usual angles above and below the horizontal, degrees.
        ears, horns: shapes of what grows on the head.
        pattern, mark: drawn over the coat in the colour `mark`.
        mane: hair along the neck, in the colour `mark`.
        snout: colour of the nose.
    """

    name: str
    aliases: tuple[str, ...]
    coats: tuple[Colour, ...]
    build: Build
    neck_rise: float
    tail_fall: float
    ears: Literal["pointed", "floppy", "round"]
    horns: Literal["none", "curved", "antlers", "knobs"] = "none"
    pattern: Literal["plain", "stripes", "spots", "patches", "wool"] = "plain"
    mark: Colour = (40, 30, 25)
    mane: bool = False
    snout: Colour = (35, 28, 28)


def _builds(table: str) -> dict[str, Build]:
    """Parse a table whose first line names the attributes and whose first column names the species."""
    header, *lines = (line.split() for line in table.strip().splitlines())
    return {name: Build(**dict(zip(header[1:], map(float, row), strict=True))) for name, *row in lines}


_BUILDS = _builds(
    """
    species  chest rump leg  leg_radius neck neck_radius head head_radius muzzle tail tail_radius ear
    cat      0.21  0.22 0.52 0.075      0.16 0.15        0.17 0.19        0.090  0.75 0.045       0.17
    dog      0.24  0.19 0.68 0.085      0.25 0.16        0.30 0.18        0.090  0.45 0.045       0.24
    horse    0.25  0.23 0.88 0.085      0.48 0.17        0.40 0.14        0.095  0.60 0.060       0.13
    sheep    0.30  0.30 0.55 0.065      0.18 0.16        0.26 0.14        0.085  0.16 0.060       0.15
    cow      0.30  0.28 0.66 0.085      0.27 0.20        0.36 0.17        0.125  0.55 0.025       0.16
    pig      0.32  0.31 0.42 0.085      0.10 0.24        0.30 0.20        0.120  0.20 0.022       0.15
    deer     0.21  0.21 0.92 0.060      0.42 0.12        0.28 0.12        0.060  0.13 0.055       0.17
    zebra    0.26  0.25 0.80 0.080      0.42 0.18        0.36 0.14        0.095  0.50 0.035       0.12
    fox      0.18  0.17 0.50 0.065      0.18 0.13        0.29 0.15        0.045  0.70 0.110       0.20
    tiger    0.24  0.22 0.56 0.100      0.18 0.19        0.22 0.20        0.120  0.80 0.045       0.10
    giraffe  0.27  0.22 1.15 0.080      1.25 0.13        0.30 0.11        0.070  0.60 0.030       0.13
    """
)
_BROWNS: tuple[Colour, ...] = ((120, 78, 45), (160, 108, 62), (88, 56, 36))

SPECIES = (
    Species(
        name="cat",
        aliases=("kitten", "house cat"),
        coats=((235, 150, 60), (120, 120, 125), (60, 55, 55), (240, 225, 200)),
        build=_BUILDS["cat"],
        neck_rise=40,
        tail_fall=-35,
        ears="pointed",
    ),
    Species(
        name="dog",
        aliases=("puppy", "hound"),
        coats=((200, 150, 95), (90, 65, 50), (245, 235, 215), (60, 55, 60)),
        build=_BUILDS["dog"],
        neck_rise=45,
        tail_fall=-30,
        ears="floppy",
    ),
    Species(
        name="horse",
        aliases=("pony", "mare", "stallion"),
        coats=(*_BROWNS, (225, 215, 200)),
        build=_BUILDS["horse"],
        neck_rise=50,
        tail_fall=60,
        ears="pointed",
        mane=True,
    ),
    Species(
        name="sheep",
        aliases=("lamb", "ewe"),
        coats=((240, 236, 225), (225, 215, 195), (110, 100, 95)),
        build=_BUILDS["sheep"],
        neck_rise=35,
        tail_fall=45,
        ears="floppy",
        pattern="wool",
    ),
    Species(
        name="cow",
        aliases=("cattle", "bull", "calf"),
        coats=((245, 240, 235), (165, 100, 60), (70, 60, 58)),
        build=_BUILDS["cow"],
        neck_rise=20,
        tail_fall=75,
        ears="floppy",
        horns="curved",
        pattern="patches",
    ),
    Species(
        name="pig",
        aliases=("hog", "piglet", "swine"),
        coats=((245, 175, 170), (235, 195, 180), (130, 100, 95)),
        build=_BUILDS["pig"],
        neck_rise=10,
        tail_fall=-10,
        ears="pointed",
        snout=(90, 60, 60),
    ),
    Species(
        name="deer",
        aliases=("stag", "doe", "fawn"),
        coats=((175, 115, 65), (150, 95, 55), (195, 140, 85)),
        build=_BUILDS["deer"],
        neck_rise=60,
        tail_fall=10,
        ears="pointed",
        horns="antlers",
        pattern="spots",
        mark=(240, 225, 200),
    ),
    Species(
        name="zebra",
        aliases=(),
        coats=((245, 243, 238), (232, 228, 220)),
        build=_BUILDS["zebra"],
        neck_rise=48,
        tail_fall=65,
        ears="round",
        pattern="stripes",
        mark=(35, 32, 34),
        mane=True,
    ),
    Species(
        name="fox",
        aliases=("vixen",),
        coats=((225, 105, 40), (205, 90, 45), (150, 145, 150)),
        build=_BUILDS["fox"],
        neck_rise=40,
        tail_fall=25,
        ears="pointed",
    ),
    Species(
        name="tiger",
        aliases=(),
        coats=((240, 145, 50), (225, 125, 45), (245, 240, 230)),
        build=_BUILDS["tiger"],
        neck_rise=30,
        tail_fall=30,
        ears="round",
        pattern="stripes",
        mark=(30, 22, 20),
    ),
    Species(
        name="giraffe",
        aliases=(),
        coats=((235, 200, 130), (225, 185, 110)),
        build=_BUILDS["giraffe"],
        neck_rise=62,
        tail_fall=70,
        ears="pointed",
        horns="knobs",
        pattern="patches",
        mark=(150, 90, 40),
    ),
)

_BY_NAME = {species.name: species for species in SPECIES}


def species_of(name: str) -> Species:
    """The species of that name; KeyError if there is none (callers check names first)."""
    return _BY_NAME[name]
