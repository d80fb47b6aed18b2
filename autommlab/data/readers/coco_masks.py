"""COCO files for segmentation: the polygons and run lengths of the objects, to be drawn as masks."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from autommlab.bundle_runtime.pictures import MAX_PIXELS
from autommlab.data.drawn_masks import packed_runs
from autommlab.data.readers import boxes, coco_json, coco_shapes, files
from autommlab.data.readers.coco_annotations import Annotations
from autommlab.data.readers.coco_entries import EntriesBuilder
from autommlab.data.readers.coco_json import CocoFile, CocoSet
from autommlab.data.readers.ids import Ids, names_of_category, names_of_image
from autommlab.data.readers.shapes import Picture, Runs, Shape, polygon_of
from autommlab.data.records import Instance, Sample


@dataclass(slots=True)
class MaskSet(CocoSet):
    """Reads the images and outlines of a set; categories, ids and broken entries as for boxes."""

    pictures: list[Picture] = field(default_factory=list)

    def content(self, path: Path) -> Any:
        """All of a file, since every outline is drawn."""
        return files.read_json(path)

    def read(self, file: CocoFile, content: Any) -> None:
        """Add a file's images and the outlines of their objects."""
        tables = coco_json.tables_of(file.path, content)
        name = files.shown(self.root, file.path)
        category_ids = Ids(tables["categories"], names_of_category)
        image_ids = Ids(tables["images"], names_of_image)
        labels = self._labels(name, tables["categories"], category_ids)
        images = self._images(name, file, tables["images"], image_ids)
        entries = tables["annotations"]
        builder = EntriesBuilder(with_points=False)
        builder.add_odd(entries)
        known = builder.built()
        if any(known.fractions):
            self.problems.append(boxes.fractions_note(name))
        reader = Annotations(
            name, labels, images, image_ids, category_ids, None, known.fractions, self.problems, known.repeated()
        )
        found = {
            key: Picture(path, file.path, f"{name} ({files.readable(path.name)})", file.split, (width, height))
            for key, (path, width, height) in images.items()
        }
        for number, entry in enumerate(entries):
            if read := reader.read(number, entry):
                picture, item = found[read[0]], read[1]
                scale = picture.stated if known.fractions.outlines else None
                picture.shapes.append(self._shape(picture, item, entry.get("segmentation"), scale or (1, 1)))
                self._objects[self.classes[item.label]] += 1
        self.pictures += found.values()
        self.samples += [Sample(picture.image, *(picture.stated or (0, 0))) for picture in found.values()]

    def _shape(self, picture: Picture, item: Instance, given: Any, scale: Sequence[float]) -> Shape:
        polygons = tuple(
            tuple((x * scale[0], y * scale[1]) for x, y in polygon)
            for flat in coco_shapes.polygons_of(given)
            if (polygon := polygon_of(flat))
        )
        runs = _runs(given) if isinstance(given, dict) else None
        if isinstance(given, dict) and runs is None:
            what = "a mask whose run lengths do not make up its size; its box is taken as unlabelled"
            self.note("bad-mask", picture.where, what, "export the masks again")
        return Shape(self.classes[item.label], item.bbox, polygons, runs, ignored=item.is_crowd)


def _runs(mask: dict[str, Any]) -> Runs | None:
    found = coco_shapes.run_lengths(mask)
    if found is None or found[0] * found[1] > MAX_PIXELS or sum(found[2]) != found[0] * found[1]:
        return None
    height, width, lengths = found
    return Runs((width, height), packed_runs(lengths))
