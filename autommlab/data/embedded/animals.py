"""The set of drawn animals: one in a picture, side view, with AP-10K's keypoints."""

from dataclasses import asdict, replace

import numpy as np
from PIL import Image

from autommlab.data.embedded.animal import COAT_PARTS, PART_NAMES, Animal, random_gait
from autommlab.data.embedded.backgrounds import background, camera
from autommlab.data.embedded.colours import shade
from autommlab.data.embedded.drawn import Drawn
from autommlab.data.embedded.figure import SUPER, Canvas, box_and_area, owner_at, silhouette
from autommlab.data.embedded.occluders import hide_some
from autommlab.data.embedded.species import SPECIES, Build, Species, species_of
from autommlab.data.records import Instance, Split

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
