"""One Pascal VOC annotation file."""

# The standard parser expands no external entity; a billion-laughs file fails in expat's own limit.
import codecs
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from autommlab.common.errors import DataError
from autommlab.data.names import clean_name
from autommlab.data.readers import boxes, files
from autommlab.data.readers.boxes import Box
from autommlab.data.records import Problem

#: Largest file that is read; one with ten thousand objects has about 3 MB.
_MOST_BYTES = 32 << 20
_DECLARED = re.compile(rb"""^\s*<\?xml[^>]{0,200}?\sencoding\s*=\s*["']([\w.:-]{1,40})["'][^>]{0,200}\?>""")
#: Codecs for host names, whose time grows with the square of the length.
_SLOW_CODECS = ("idna", "punycode")
_CORNERS = ("xmin", "ymin", "xmax", "ymax")


class XmlError(Exception):
    """An annotation that cannot be read, with the reason."""


@dataclass(frozen=True, slots=True)
class VocBox:
    """An object: class, corners as written (xmin, ymin, xmax, ymax), and VOC's flag of what evaluation ignores."""

    name: str
    corners: Box
    difficult: bool

    def bbox(self, size: tuple[int, int], *, fractions: bool) -> Box:
        """(x, y, width, height) in pixels of an image of `size`."""
        xmin, ymin, xmax, ymax = self.corners
        if fractions:
            return boxes.scaled((xmin, ymin, xmax - xmin, ymax - ymin), *size)
        # VOC counts pixels from 1 and includes both corners; other tools' 0 stays 0.
        x, y = (xmin - 1 if xmin >= 1 else xmin), (ymin - 1 if ymin >= 1 else ymin)
        return x, y, xmax - x, ymax - y


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
            name = clean_name(item.findtext("name") or "")
            corners = _corners(item.find("bndbox")) or _outline(item.find("polygon"))
            if name and corners:
                found.append(VocBox(name, corners, (item.findtext("difficult") or "0").strip() == "1"))
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
        XmlError: missing, too large, in an unknown encoding, or broken.
    """
    try:
        tree = parsed_xml(files.read_bytes(path, _MOST_BYTES))
    except FileNotFoundError as error:
        raise XmlError("does not exist") from error
    except (DataError, OSError, LookupError, ValueError, ET.ParseError) as error:
        raise XmlError(f"cannot be read ({files.readable(str(error))})") from error
    width, height = (boxes.number(tree.findtext(f"size/{side}")) for side in ("width", "height"))
    size = (int(width), int(height)) if width and height and width >= 1 and height >= 1 else None
    return VocFile(tree, (tree.findtext("filename") or "").strip(), size)


def parsed_xml(content: bytes) -> ET.Element:
    """The tree of a file, in any codec of Python.

    Raises:
        LookupError: it declares an unknown encoding.
        ValueError, ParseError: it is broken.
    """
    content = content.lstrip()
    declared = _DECLARED.match(content.removeprefix(codecs.BOM_UTF8))
    if declared is None:
        return ET.fromstring(content)  # noqa: S314 - see the note at the imports
    # Expat knows no codec of several bytes a character; Python has those of Chinese, Japanese and Korean tools.
    name = "utf-8" if content.startswith(codecs.BOM_UTF8) else declared[1].decode()  # the mark knows better
    try:
        text = content.decode(_codec(name))
    except LookupError as error:
        try:
            text = content.decode()
        except UnicodeDecodeError:
            raise LookupError(f"it declares the unknown encoding {name!r} and is no UTF-8") from error
    return ET.fromstring(text[text.index("?>") + 2 :])  # noqa: S314 - see the note at the imports


def _codec(name: str) -> str:
    codec = codecs.lookup(name)
    # `bytes.decode` itself refuses what is no codec of text.
    if codec.name in _SLOW_CODECS:
        raise LookupError(name)
    return "utf-8-sig" if codec.name == "utf-8" else codec.name


def _corners(item: ET.Element | None) -> Box | None:
    if item is None:
        return None
    found = boxes.finite_numbers([(item.findtext(key) or "").strip() for key in _CORNERS])
    return (found[0], found[1], found[2], found[3]) if found else None


def _outline(item: ET.Element | None) -> Box | None:
    """The corners around a polygon, which tools write as <x1> <y1> <x2> ... or as <pt><x> <y>."""
    if item is None:
        return None
    found: dict[str, list[float]] = {"x": [], "y": []}
    for axis, number in _axes(item):
        found[axis].append(number)
    if len(found["x"]) < 2 or len(found["x"]) != len(found["y"]):
        return None
    return min(found["x"]), min(found["y"]), max(found["x"]), max(found["y"])


def _axes(item: ET.Element) -> Iterator[tuple[str, float]]:
    for child in item.iter():
        axis, number = child.tag[:1].lower(), boxes.number((child.text or "").strip())
        if axis in ("x", "y") and child.tag[1:].isdigit() | (len(child.tag) == 1) and number is not None:
            yield axis, number
