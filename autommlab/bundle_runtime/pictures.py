"""Any picture file to upright RGB of 8 bits: the one decoder of training, data checks, reports and bundles.

The same file gives the same pixels everywhere:

- the first frame of several;
- turned upright by the EXIF orientation; annotations mean the upright picture;
- transparent pixels over white; palette, CMYK, YCbCr and Lab as Pillow converts them, colour profiles ignored;
- integers of more than 8 bits: the upper 8 of `bits` bits, as Pillow reads 16-bit colour;
- floats: 0 to `white` becomes 0 to 255; NaN and what is below 0 is black.

`bits` and `white` are chosen once for a data set (`depth_of`) and stored with the bundle, not chosen per file: of two
pictures the darker one stays the darker one.
"""

from __future__ import annotations

import contextlib
import os
import stat
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, UnidentifiedImageError

from .errors import BundleError

Source = str | Path | BytesIO

#: A picture of more pixels is refused: as RGB it takes three bytes of memory each, several times over in training.
MAX_PIXELS = 256_000_000
#: Pictures of more pixels are decoded one at a time where several threads look at files.
_LARGE_PIXELS = 32_000_000
_ONE_LARGE = threading.Lock()

# Pillow stops at 179 megapixels by default, below some sound aerial photographs.
if Image.MAX_IMAGE_PIXELS is not None:
    Image.MAX_IMAGE_PIXELS = max(Image.MAX_IMAGE_PIXELS, MAX_PIXELS)

Image.init()
#: Pillow's other formats run programs (EPS), or are no photographs.
_FORMATS = tuple(
    name
    for name in ("JPEG", "MPO", "PNG", "BMP", "DIB", "GIF", "TIFF", "WEBP", "PPM", "AVIF", "JPEG2000")
    if name in Image.OPEN
)

_ORIENTATION = 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
#: Orientations that swap width and height.
_SIDEWAYS = range(5, 9)

#: Bits that sensors and their files have; Pillow's widest integers are signed.
_BITS = (8, 10, 12, 14, 16, 24, 31)
#: Resampling leaves floats a little above the white that they were scaled to.
_OVERSHOOT = 1.01
#: Floats from here on mark missing data, they are no brightness.
_NO_DATA = 1e30

#: First bytes of picture files that Pillow does not read: (offset, bytes, name).
_FOREIGN = (
    *((4, b"ftyp" + brand, "HEIC") for brand in (b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1")),
    (4, b"ftypavi", "AVIF"),
    (4, b"ftypcrx", "CR3 (camera raw)"),
    (0, b"\xff\x0a", "JPEG XL"),
    (0, b"\x00\x00\x00\x0cJXL ", "JPEG XL"),
    (0, b"8BPS", "Photoshop"),
    (0, b"%PDF", "PDF"),
    (0, b"%!PS", "PostScript"),
    (128, b"DICM", "DICOM"),
    (0, b"FUJIFILM", "RAF (camera raw)"),
)  # fmt: skip
_MAGIC_BYTES = 256
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
#: Of the end of a PNG: more than its metadata takes.
_TAIL_BYTES = 1 << 16


class PictureError(BundleError):
    """A file that gives no picture.

    Attributes:
        kind: missing-image, corrupt-image, large-image or foreign-format.
        what: what is wrong with it.
        remedy: what to do.
    """

    def __init__(self, source: object, kind: str, what: str, remedy: str) -> None:
        name = "the image" if isinstance(source, BytesIO | Image.Image) else source
        super().__init__(f"{name}: {what}; {remedy}.")
        self.kind, self.what, self.remedy = kind, what, remedy

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuilt, (str(self), self.kind, self.what, self.remedy)


def _rebuilt(text: str, kind: str, what: str, remedy: str) -> PictureError:
    error = PictureError("", kind, what, remedy)
    error.args = (text,)
    return error


class Depth(NamedTuple):
    """How pictures of more than 8 bits become 8 bits.

    Attributes:
        bits: of an integer that is white.
        white: the float that is white.
    """

    bits: int = 16
    white: float = 1.0


@dataclass(frozen=True, slots=True)
class Facts:
    """What a look at a whole picture tells.

    Attributes:
        size: (width, height) in pixels, upright.
        orientation: of the stored pixels, EXIF's 1 to 8.
        peak: largest value of a picture of more than 8 bits a channel, 0 for others.
        real: its values are floats.
    """

    size: tuple[int, int]
    orientation: int = 1
    peak: float = 0.0
    real: bool = False

    @property
    def stored_size(self) -> tuple[int, int]:
        """(width, height) in pixels as the file stores them."""
        return _swapped(self.size, self.orientation)


def read(source: Source | Image.Image, bits: int = Depth().bits, white: float = Depth().white) -> Image.Image:
    """The picture, upright, RGB, 8 bits.

    Args:
        source: a file, its content, or a Pillow image.
        bits, white: see `Depth`.

    Raises:
        PictureError: missing, broken, too large, or of a format that is not read.
    """
    with _opened(source) as image:
        orientation = _load(image)
        rgb = _to_rgb(image, bits, white)
        # Pillow turns TIFF while it decodes.
        return rgb if image.format == "TIFF" or orientation == 1 else rgb.transpose(_TURNS[orientation])


def size(source: Source) -> tuple[int, int]:
    """(width, height) of the upright picture in pixels, from the file's header.

    Raises:
        PictureError: see `read`.
    """
    with _opened(source) as image:
        late = image.format == "PNG" and "exif" not in image.info and _may_have_late_metadata(image.fp)
        orientation = _load(image) if late else _orientation(image)
        return image.size if image.format == "TIFF" else _swapped(image.size, orientation)


def look(source: Source) -> Facts:
    """Decode the whole picture, to learn whether that is possible and what is in it.

    Raises:
        PictureError: see `read`.
    """
    with _opened(source) as image, _ONE_LARGE if _pixels(image) > _LARGE_PIXELS else contextlib.nullcontext():
        full = image.size
        # A JPEG is decoded at an eighth of its size: as strict about its end, several times faster.
        image.draft("L", (1, 1))
        orientation = _load(image)
        upright = full if image.format == "TIFF" else _swapped(full, orientation)
        _to_rgb(image.crop((0, 0, 1, 1)), *Depth())  # a mode that cannot be converted is found here, too
        return Facts(upright, orientation, *_peak(image))


def content(path: str | Path) -> bytes:
    """The bytes of a regular file.

    Raises:
        PictureError: missing, no file, or not to be read.
    """
    try:
        _refuse_special_file(path)
        return Path(path).read_bytes()
    except OSError as error:
        raise _explained(path, error) from error


def values(source: Source) -> NDArray[Any]:
    """The upright values as stored, (height, width) or (height, width, channels): of a mask of class indexes.

    A palette's indexes stay indexes.

    Raises:
        PictureError: see `read`.
    """
    with _opened(source) as image:
        orientation = _load(image)
        return np.asarray(image) if image.format == "TIFF" else turned(np.asarray(image), orientation)


def turned(pixels: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Pixels (height, width, ...) turned as an EXIF orientation says."""
    if orientation in _SIDEWAYS:
        pixels = pixels.swapaxes(0, 1)
    rows = -1 if orientation in (3, 4, 7, 8) else 1
    columns = -1 if orientation in (2, 3, 6, 7) else 1
    return pixels[::rows, ::columns]


def depth_of(looked_at: Iterable[Facts]) -> Depth:
    """How the pictures of a data set become 8 bits: the fewest usual bits that hold all of their values."""
    deep = [facts for facts in looked_at if facts.peak]
    integer = max((facts.peak for facts in deep if not facts.real), default=0.0)
    real = max((facts.peak for facts in deep if facts.real), default=0.0)
    default = Depth()
    whites = (1.0, *(float(2**bits - 1) for bits in _BITS), real)
    return Depth(
        next(bits for bits in _BITS if integer < 2**bits) if integer else default.bits,
        next(white for white in whites if real <= white * _OVERSHOOT) if real else default.white,
    )


@contextlib.contextmanager
def _opened(source: Source | Image.Image) -> Iterator[Any]:
    """The image with its header read; whatever goes wrong with it, also within the block, is a `PictureError`."""
    try:
        if isinstance(source, Image.Image):
            yield source
            return
        if not isinstance(source, BytesIO):
            _refuse_special_file(source)
        with Image.open(source, formats=_FORMATS) as image:
            if _pixels(image) > MAX_PIXELS:
                raise Image.DecompressionBombError
            yield image
    except (PictureError, MemoryError):
        raise
    except Exception as error:  # Pillow's decoders raise anything on a broken file, struct.error and KeyError too
        raise _explained(source, error) from error


def _pixels(image: Image.Image) -> int:
    return image.width * image.height


def _refuse_special_file(path: str | Path) -> None:
    mode = os.stat(path).st_mode  # noqa: PTH116 - takes strings too
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise PictureError(path, "foreign-format", "is a pipe or a device, no file", "give a picture file")


def _orientation(image: Image.Image) -> int:
    """EXIF's 1 to 8; 1 where there is none or it cannot be read."""
    try:
        # Not the method of PNG, which decodes the whole picture.
        found = Image.Image.getexif(image).get(_ORIENTATION)
    except Exception:  # broken metadata is no broken picture
        return 1
    return found if found in _TURNS else 1


def _load(image: Image.Image) -> int:
    """Decode the pixels; returns the orientation of the stored ones."""
    # Pillow turns TIFF while it decodes and forgets the tag; a PNG may tell it behind the pixels.
    before = _orientation(image) if image.format == "TIFF" else 1
    image.load()
    return before if image.format == "TIFF" else _orientation(image)


def _may_have_late_metadata(file: BinaryIO) -> bool:
    """Whether a PNG may tell its orientation behind the pixels, by its last bytes; its chunks would be a whole read."""
    end = file.seek(0, os.SEEK_END)
    file.seek(max(0, end - _TAIL_BYTES))
    tail = file.read()
    return any(kind in tail for kind in (b"eXIf", b"iTXt", b"zTXt", b"tEXt"))


def _swapped(size: tuple[int, int], orientation: int) -> tuple[int, int]:
    return (size[1], size[0]) if orientation in _SIDEWAYS else size


def _peak(image: Image.Image) -> tuple[float, bool]:
    """The largest value of an image of more than 8 bits, and whether it holds floats; 0 for other images."""
    if image.mode == "F":
        found = np.asarray(image)
        usable = found[np.isfinite(found) & (found < _NO_DATA)]
        return max(0.0, float(usable.max(initial=0.0))), True
    if image.mode.startswith("I"):
        return max(0.0, float(np.asarray(image).max())), False
    return 0.0, False


def _to_rgb(image: Image.Image, bits: int, white: float) -> Image.Image:
    if image.mode == "F":
        shares = np.nan_to_num(np.asarray(image) / white, nan=0.0)
        image = Image.fromarray(np.rint(np.clip(shares, 0.0, 1.0) * 255).astype(np.uint8))
    elif image.mode.startswith("I"):
        stored = np.asarray(image)
        most = min(2**bits - 1, np.iinfo(stored.dtype).max)
        image = Image.fromarray((np.clip(stored, 0, most) >> (bits - 8)).astype(np.uint8))
    elif image.mode == "LAB":
        lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        return ImageCms.profileToProfile(image, lab, srgb, outputMode="RGB") or image
    elif image.has_transparency_data:
        above = image.convert("RGBA") if image.mode != "La" else image.convert("LA").convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), above).convert("RGB")
    return image.convert("RGB")


def _explained(source: Source | Image.Image, error: Exception) -> PictureError:
    """Why a file gives no picture, from what Pillow or the system raised."""
    if isinstance(error, Image.DecompressionBombError):
        what = f"has more than the {MAX_PIXELS // 10**6} megapixels that are read"
        return PictureError(source, "large-image", what, "cut it into tiles or scale it down")
    if isinstance(error, FileNotFoundError):
        return PictureError(source, "missing-image", "the file does not exist", "put it there or delete its entry")
    if isinstance(error, IsADirectoryError):
        return PictureError(source, "foreign-format", "is a folder, not an image", "give the files in it")
    if isinstance(error, OSError) and error.strerror:
        what = f"cannot be read: {error.strerror}"
        return PictureError(source, "corrupt-image", what, "check the file and its permissions")
    return PictureError(source, *_content_fault(_first_bytes(source), error))


def _content_fault(start: bytes | None, error: Exception) -> tuple[str, str, str]:
    """Kind, what and remedy of a file that begins with `start` (None: not known), which Pillow failed to decode."""
    if start == b"":
        return "corrupt-image", "the file is empty", "fetch the image again or delete it"
    foreign = next((name for offset, magic, name in _FOREIGN if (start or b"")[offset:].startswith(magic)), "")
    if foreign:
        return "foreign-format", f"is a {foreign} file, which is not read", "convert it to JPEG or PNG"
    if isinstance(error, UnidentifiedImageError) and (start or b"").startswith(_TIFF):
        what = "is a TIFF file of a kind that Pillow cannot read, such as colour in floats or five channels"
        return "foreign-format", what, "save it as PNG or JPEG of 8 bits"
    if isinstance(error, UnidentifiedImageError):
        return "corrupt-image", "is not an image that Pillow can read", "give a JPEG, PNG or similar, or delete it"
    return "corrupt-image", f"cannot be decoded ({error or type(error).__name__})", "fetch it again or delete it"


def _first_bytes(source: Source | Image.Image) -> bytes | None:
    """The start of a file; None where there is no file to look into."""
    if isinstance(source, Image.Image):
        return None
    if isinstance(source, BytesIO):
        return source.getvalue()[:_MAGIC_BYTES]
    with contextlib.suppress(OSError), Path(source).open("rb") as file:
        return file.read(_MAGIC_BYTES)
    return None
