"""One Pascal VOC annotation file."""

# The standard parser expands no external entity; a billion-laughs file fails in expat's own limit.
import math
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path

from autommlab.data.readers import boxes
from autommlab.data.records import Problem


@dataclass(frozen=True, slots=True)
class VocBox:
    """An object: its class, (x, y, width, height) in pixels, and VOC's flag of what evaluation ignores."""

    name: str
    bbox: tuple[float, float, float, float]
    difficult: bool

    def fits(self, where: str, size: tuple[int, int], problems: list[Problem]) -> bool:
        """Whether the box lies in an image of `size`; records a problem and is False for a lost one."""
        wrong = boxes.fault(self.bbox, *size)
        if wrong and wrong[2] == "error":
            what = f"{self.name}: {wrong[1]}; left out"
            problems.append(Problem(wrong[0], where, what, "correct or delete the box in its XML"))
            return False
        return True


@dataclass(frozen=True, slots=True)
class VocFile:
    """A parsed annotation. `size` is (width, height) in pixels, None where missing or zero."""

    tree: ET.Element
    file_name: str
    size: tuple[int, int] | None

    def boxes(self, where: str, problems: list[Problem]) -> list[VocBox]:
        """Its objects; one without a name or with broken coordinates becomes a problem."""
        found: list[VocBox] = []
        for number, item in enumerate(self.tree.iterfind("object")):
            name = (item.findtext("name") or "").strip()
            bbox = _bbox(item.find("bndbox"))
            if name and bbox:
                found.append(VocBox(name, bbox, (item.findtext("difficult") or "0").strip() == "1"))
                continue
            what = "has no name" if not name else "bndbox is not four numbers xmin, ymin, xmax, ymax"
            problems.append(
                Problem(
                    "bad-annotation",
                    f"{where}, object {number}",
                    f"{what}; left out",
                    "complete or delete it",
                )
            )
        return found


def read_xml(path: Path) -> VocFile:
    """Parse one file.

    Raises:
        OSError, xml.etree.ElementTree.ParseError: missing or broken.
    """
    tree = ET.parse(path).getroot()  # noqa: S314 - see the note at the imports
    width, height = (_number(tree.findtext(f"size/{side}")) for side in ("width", "height"))
    size = (int(width), int(height)) if width and height and width > 0 and height > 0 else None
    return VocFile(tree, (tree.findtext("filename") or "").strip(), size)


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _bbox(item: ET.Element | None) -> tuple[float, float, float, float] | None:
    if item is None:
        return None
    corners = [_number(item.findtext(key)) for key in ("xmin", "ymin", "xmax", "ymax")]
    xmin, ymin, xmax, ymax = corners
    if xmin is None or ymin is None or xmax is None or ymax is None:
        return None
    # VOC counts pixels from 1 and includes both corners; other tools' 0 stays 0.
    x, y = max(xmin - 1, 0.0), max(ymin - 1, 0.0)
    return x, y, xmax - x, ymax - y
