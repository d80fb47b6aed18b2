"""Declaration of the six embedded sets. Importing this loads neither NumPy nor Pillow."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from autommlab.common.errors import DataError, unknown
from autommlab.data.embedded.catalog import THINGS
from autommlab.data.embedded.layouts import ANIMAL, PERSON
from autommlab.data.embedded.species import SPECIES
from autommlab.data.records import SPLITS, KeypointLayout
from autommlab.tasks import Task

if TYPE_CHECKING:
    from autommlab.data.embedded.drawn import Drawn

_OPENMOJI = "CC BY-SA 4.0 (pictograms: OpenMoji, openmoji.org)"
_OWN = "Apache-2.0; things in front: CC BY-SA 4.0 (OpenMoji, openmoji.org)"
_BSD = "BSD-3-Clause (scikit-learn); scans: E. Alpaydin, C. Kaynak, UCI, CC BY 4.0"
BACKGROUND = "background"


@dataclass(frozen=True, slots=True)
class EmbeddedSet:
    """One set, drawn class by class.

    Attributes:
        version: raise it with any change of what is drawn or of the classes; it names the cache folder and
            seeds every image.
        classes: in label order.
        counts: images of (train, val, test) for each class, on average for `digits`.
        paint: draws all images of one class.
        suffix: of the image files.
        is_drawn: no picture is of the real world, so a model learns nothing of photographs.
    """

    name: str
    version: int
    task: Task
    classes: tuple[str, ...]
    counts: tuple[int, int, int]
    paint: Callable[["EmbeddedSet", str], Iterator["Drawn"]]
    description: str
    licence: str
    suffix: str = ".jpg"
    is_drawn: bool = True
    aliases: dict[str, tuple[str, ...]] = field(default_factory=dict)
    keypoints: KeypointLayout | None = None

    @property
    def blocks(self) -> tuple[str, ...]:
        """Classes that have images of their own: all but the background."""
        return tuple(name for name in self.classes if name != BACKGROUND)


def _paint_random(which: EmbeddedSet, block: str) -> Iterator["Drawn"]:
    from autommlab.data.embedded import animal as animals
    from autommlab.data.embedded import openmoji
    from autommlab.data.embedded import person as people
    from autommlab.data.embedded.drawn import image_rng

    draw = {
        "openmoji-objects": openmoji.draw_object,
        "openmoji-scenes": openmoji.draw_scene,
        "openmoji-masks": openmoji.draw_masked,
        "drawn-people": people.draw_people,
        "drawn-animals": animals.draw_animal,
    }[which.name]
    for split, count in zip(SPLITS, which.counts, strict=True):
        for index in range(count):
            yield draw(block, split, image_rng(which.name, which.version, block, split, index))


def _paint_digits(which: EmbeddedSet, block: str) -> Iterator["Drawn"]:
    from autommlab.data.embedded.digits import draw_digits
    from autommlab.data.embedded.drawn import image_rng

    return draw_digits(block, image_rng(which.name, which.version, block, "order", 0))


_THING_NAMES = tuple(thing.name for thing in THINGS)
_THING_ALIASES = {thing.name: thing.aliases for thing in THINGS if thing.aliases}
_DIGIT_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")

SETS = (
    EmbeddedSet(
        name="openmoji-objects",
        version=1,
        task=Task.CLASSIFICATION,
        classes=_THING_NAMES,
        counts=(200, 60, 60),
        paint=_paint_random,
        description="Pictograms of everyday things, one in each 96 px image, with clutter behind it.",
        licence=_OPENMOJI,
        aliases=_THING_ALIASES,
    ),
    EmbeddedSet(
        name="openmoji-scenes",
        version=1,
        task=Task.DETECTION,
        classes=_THING_NAMES,
        counts=(160, 50, 50),
        paint=_paint_random,
        description="192 px scenes of 1 to 5 pictograms that partly hide each other, with tight boxes.",
        licence=_OPENMOJI,
        aliases=_THING_ALIASES,
    ),
    EmbeddedSet(
        name="openmoji-masks",
        version=1,
        task=Task.SEGMENTATION,
        classes=(BACKGROUND, *_THING_NAMES),
        counts=(160, 50, 50),
        paint=_paint_random,
        description="128 px scenes of 1 to 4 pictograms with an exact class for every pixel.",
        licence=_OPENMOJI,
        aliases=_THING_ALIASES,
    ),
    EmbeddedSet(
        name="drawn-people",
        version=1,
        task=Task.KEYPOINT,
        classes=("person",),
        counts=(640, 200, 200),
        paint=_paint_random,
        description="128 x 160 px drawings of one or two people in any pose, with COCO's 17 keypoints.",
        licence=_OWN,
        aliases={"person": ("human", "man", "woman", "people", "pedestrian", "human body", "athlete")},
        keypoints=PERSON,
    ),
    EmbeddedSet(
        name="drawn-animals",
        version=1,
        task=Task.KEYPOINT,
        classes=tuple(species.name for species in SPECIES),
        counts=(150, 40, 40),
        paint=_paint_random,
        description="128 px drawings of four-legged animals from the side, with AP-10K's 17 keypoints.",
        licence=_OWN,
        aliases={species.name: species.aliases for species in SPECIES if species.aliases},
        keypoints=ANIMAL,
    ),
    EmbeddedSet(
        name="digits",
        version=1,
        task=Task.CLASSIFICATION,
        classes=tuple(str(digit) for digit in range(10)),
        counts=(126, 27, 27),
        paint=_paint_digits,
        description="1,797 real scans of handwritten digits (scikit-learn), 8 px enlarged to 32 px.",
        licence=_BSD,
        suffix=".png",
        is_drawn=False,
        aliases={str(digit): (word, f"digit {digit}") for digit, word in enumerate(_DIGIT_WORDS)},
    ),
)


def find_embedded(name: str) -> EmbeddedSet:
    """The embedded set of that name.

    Raises:
        DataError: there is none.
    """
    for entry in SETS:
        if entry.name == name:
            return entry
    raise DataError(unknown("embedded data set", name, [entry.name for entry in SETS]))
