"""The one decoder: every format, mode and orientation becomes upright RGB of 8 bits, every broken file a sentence."""

from __future__ import annotations

import os
import pickle
import struct
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from autommlab.bundle_runtime import pictures
from autommlab.bundle_runtime.pictures import Depth, Facts, PictureError

#: Format, options of saving, and the largest error of its compression.
FORMATS: list[tuple[str, dict[str, object], int]] = [
    ("PNG", {}, 0),
    ("WEBP", {"lossless": True}, 0),
    ("TIFF", {}, 0),
    ("TIFF", {"compression": "tiff_lzw"}, 0),
    ("JPEG", {"quality": 95}, 0),
    ("AVIF", {"quality": 90}, 0),
]
#: Where an EXIF orientation puts the top left pixel of the stored picture: (row, column) of 0 first, -1 last.
TOP_LEFT = {1: (0, 0), 2: (0, -1), 3: (-1, -1), 4: (-1, 0), 5: (0, 0), 6: (0, -1), 7: (-1, -1), 8: (-1, 0)}


def scene(width: int = 48, height: int = 32) -> Image.Image:
    """A smooth picture without any symmetry, its top left corner red."""
    rng = np.random.default_rng(3)
    image = Image.fromarray(rng.integers(0, 200, (4, 6, 3), dtype=np.uint8)).resize((width, height))
    image.paste((255, 0, 0), (0, 0, 12, 8))
    return image


def saved(image: Image.Image, form: str, orientation: int = 1, **options: object) -> BytesIO:
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = BytesIO()
    image.save(content, form, **({"exif": exif} if orientation != 1 else {}), **options)
    return BytesIO(content.getvalue())


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(("form", "options", "_"), FORMATS)
def test_pictures_are_upright_and_their_sizes_too(form: str, options: dict, _: int, orientation: int) -> None:
    content = saved(scene(), form, orientation, **options)
    picture = pictures.read(content)
    stored = np.asarray(pictures.read(saved(scene(), form, **options)))
    assert picture.mode == "RGB"
    assert picture.size == ((32, 48) if orientation >= 5 else (48, 32))
    assert pictures.size(content) == pictures.look(content).size == picture.size
    assert pictures.look(content).stored_size == (48, 32)
    assert np.array_equal(np.asarray(picture), pictures.turned(stored, orientation))
    red, green, _blue = np.asarray(picture)[TOP_LEFT[orientation]]
    assert (red > 200, green < 60) == (True, True)


def test_an_orientation_behind_the_pixels_of_a_png_counts() -> None:
    plain, tagged = saved(scene(), "PNG").getvalue(), saved(scene(), "PNG", 6).getvalue()
    start = tagged.index(b"eXIf") - 4
    chunk = tagged[start : start + 12 + int.from_bytes(tagged[start : start + 4], "big")]
    content = BytesIO(plain[:-12] + chunk + plain[-12:])
    assert pictures.size(content) == pictures.look(content).size == pictures.read(content).size == (32, 48)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
def test_broken_or_impossible_orientations_are_none(form: str) -> None:
    for exif in (b"Exif\0\0broken", b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x2a\0\0\0\0\0\0"):
        content = BytesIO()
        scene().save(content, form, exif=exif)
        assert pictures.size(content) == pictures.look(content).size == pictures.read(content).size == (48, 32)


def deep(values: list[float], kind: str) -> Image.Image:
    return Image.fromarray(np.array([values], kind))


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (Image.new("1", (1, 1), 1), (255, 255, 255)),
        (Image.new("L", (1, 1), 77), (77, 77, 77)),
        (Image.new("LA", (1, 1), (77, 255)), (77, 77, 77)),
        (Image.new("LA", (1, 1), (77, 0)), (255, 255, 255)),
        (Image.new("RGBA", (1, 1), (9, 8, 7, 255)), (9, 8, 7)),
        (Image.new("RGBA", (1, 1), (9, 8, 7, 0)), (255, 255, 255)),
        (Image.new("RGBA", (1, 1), (0, 0, 0, 128)), (127, 127, 127)),
        (Image.new("RGB", (1, 1), (9, 8, 7)).quantize(), (9, 8, 7)),
        (Image.new("RGBA", (1, 1), (9, 8, 7, 0)).quantize(), (255, 255, 255)),
        (Image.new("CMYK", (1, 1), (0, 255, 255, 0)), (255, 0, 0)),
        (Image.new("YCbCr", (1, 1), (76, 128, 128)), (76, 76, 76)),
        (Image.new("HSV", (1, 1), (0, 255, 200)), (200, 0, 0)),
        (Image.new("LAB", (1, 1), (255, 128, 128)), (255, 255, 255)),
        (deep([40_000], "u2"), (156, 156, 156)),
        (deep([40_000], "i4"), (156, 156, 156)),
        (deep([-5], "i4"), (0, 0, 0)),
        (deep([100_000], "i4"), (255, 255, 255)),
        (deep([0.5], "f4"), (128, 128, 128)),
        (deep([np.nan], "f4"), (0, 0, 0)),
        (deep([np.inf], "f4"), (255, 255, 255)),
        (deep([-1], "f4"), (0, 0, 0)),
    ],
    ids=lambda value: value.mode if isinstance(value, Image.Image) else "",
)
def test_every_mode_becomes_8_bit_rgb(image: Image.Image, expected: tuple[int, int, int]) -> None:
    assert np.allclose(np.asarray(pictures.read(image))[0, 0], expected, atol=1)


def test_a_colour_that_stands_for_transparency_is_white_like_any_other() -> None:
    content = BytesIO()
    Image.new("RGB", (2, 2), (9, 8, 7)).save(content, "PNG", transparency=(9, 8, 7))
    assert pictures.read(content).getpixel((0, 0)) == (255, 255, 255)


@pytest.mark.parametrize("form", ["GIF", "WEBP", "PNG", "TIFF"])
def test_the_first_of_several_frames_is_read(form: str) -> None:
    content = BytesIO()
    red, blue = Image.new("RGB", (8, 8), "red"), Image.new("RGB", (8, 8), "blue")
    options = {"lossless": True} if form == "WEBP" else {}
    red.save(content, form, save_all=True, append_images=[blue], **options)
    assert pictures.read(content).getpixel((4, 4)) == (255, 0, 0)


def test_16_bits_are_read_as_8_with_the_lower_ones_cut_off() -> None:
    values = np.arange(0, 65536, 97, dtype=np.uint16)[None]
    for form in ("PNG", "TIFF"):
        assert np.array_equal(np.asarray(pictures.read(saved(Image.fromarray(values), form)))[..., 0], values >> 8)


@given(st.lists(st.integers(0, 2**31 - 1), min_size=1, max_size=5))
def test_integers_use_the_fewest_bits_that_hold_the_data_set(peaks: list[int]) -> None:
    depth = pictures.depth_of(Facts((1, 1), peak=float(peak)) for peak in peaks)
    if max(peaks) == 0:
        assert depth == Depth()
        return
    assert max(peaks) < 2**depth.bits
    smaller = [bits for bits in (8, 10, 12, 14, 16, 24, 31) if bits < depth.bits]
    assert all(max(peaks) >= 2**bits for bits in smaller)
    read = [int(np.asarray(pictures.read(deep([peak], "i4"), *depth))[0, 0, 0]) for peak in sorted(peaks)]
    assert read == sorted(read)


@pytest.mark.parametrize(
    ("peak", "white"), [(0.3, 1.0), (1.004, 1.0), (1.5, 255.0), (255, 255.0), (300, 1023.0), (60_000, 65535.0)]
)
def test_floats_are_fractions_or_numbers_of_usual_depth(peak: float, white: float) -> None:
    looked_at = pictures.look(saved(deep([0.1, peak], "f4"), "TIFF"))
    assert looked_at.peak == pytest.approx(peak)
    assert looked_at.real is True
    assert pictures.depth_of([looked_at, Facts((1, 1))]) == Depth(16, white)


def test_missing_data_of_float_pictures_is_no_brightness() -> None:
    looked_at = pictures.look(saved(deep([0.5, 3.4e38, np.nan, np.inf, -9999], "f4"), "TIFF"))
    assert pictures.depth_of([looked_at]) == Depth(16, 1.0)


PNG = saved(scene(), "PNG").getvalue()


def tiff_of_five_channels() -> bytes:
    """What microscopes and satellites write: a pixel of five 8-bit bands."""
    tags = [(256, 4, 1), (257, 4, 1), (258, 3, 8), (259, 3, 1), (262, 3, 1), (273, 4, 122), (277, 3, 5), (278, 4, 1)]
    entries = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in [*tags, (279, 4, 5)])
    return struct.pack("<2sHIH", b"II", 42, 8, 9) + entries + bytes(4) + bytes(5)


@pytest.mark.parametrize(
    ("content", "kind", "what"),
    [
        (None, "missing-image", "the file does not exist"),
        (b"", "corrupt-image", "the file is empty"),
        (b"text", "corrupt-image", "is not an image"),
        (PNG[:200], "corrupt-image", "cannot be decoded"),
        (PNG[:20], "corrupt-image", ""),
        (saved(scene(), "JPEG").getvalue()[:-200], "corrupt-image", "cannot be decoded"),
        (saved(scene(), "TIFF").getvalue()[:-3000], "corrupt-image", ""),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"\0" * 170, "foreign-format", "is a HEIC file"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic" + b"\0" * 170, "foreign-format", "is a HEIC file"),
        (b"\xff\x0a" + b"\0" * 50, "foreign-format", "is a JPEG XL file"),
        (tiff_of_five_channels(), "foreign-format", "is a TIFF file of a kind that Pillow cannot read"),
        (b"\0" * 128 + b"DICM" + b"\0" * 50, "foreign-format", "is a DICOM file"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "foreign-format", "is a PostScript file"),
        (b"8BPS" + b"\0" * 50, "foreign-format", "is a Photoshop file"),
    ],
)
def test_a_file_that_gives_no_picture_says_why(content: bytes | None, kind: str, what: str, tmp_path: Path) -> None:
    path = tmp_path / "IMG_1.JPG"
    if content is not None:
        path.write_bytes(content)
    for reader in (pictures.read, pictures.look, pictures.values):
        with pytest.raises(PictureError, match=r"IMG_1\.JPG: ") as raised:
            reader(path)
        assert (raised.value.kind, raised.value.what[: len(what)]) == (kind, what)
        if content is not None:
            with pytest.raises(PictureError) as of_bytes:
                reader(BytesIO(content))
            assert of_bytes.value.kind == kind
            assert "BytesIO" not in str(of_bytes.value)
    again = pickle.loads(pickle.dumps(raised.value))  # noqa: S301 - our own
    assert (str(again), again.kind, again.remedy) == (str(raised.value), raised.value.kind, raised.value.remedy)


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.png")
    for path, what in (
        (tmp_path / "x.png", "a pipe or a device"),
        (tmp_path, "a folder"),
        (Path(os.devnull), "a pipe"),
    ):
        for reader in (pictures.read, pictures.size, pictures.content):
            with pytest.raises(PictureError, match=what):
                reader(path)


@given(st.data())
def test_damaged_files_raise_nothing_else(data: st.DataObject) -> None:
    form, options, _ = data.draw(st.sampled_from(FORMATS))
    content = bytearray(saved(scene(), form, 6, **options).getvalue())
    for _place in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    content = content[: data.draw(st.integers(1, len(content)))]
    for reader in (pictures.size, pictures.look, pictures.read, pictures.values):
        try:
            reader(BytesIO(bytes(content)))
        except PictureError as error:
            assert error.what and error.remedy


def png_of(width: int, height: int) -> bytes:
    """A black picture of one bit a pixel, without holding its pixels in memory."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return len(body).to_bytes(4, "big") + kind + body + zlib.crc32(kind + body).to_bytes(4, "big")

    head = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([1, 0, 0, 0, 0])
    pixels = zlib.compress(bytes((1 + (width + 7) // 8) * height), 1)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def test_sound_large_pictures_are_read_and_larger_ones_called_large() -> None:
    above_pillows_limit = BytesIO(png_of(13_400, 13_400))
    assert pictures.look(above_pillows_limit).size == (13_400, 13_400)
    for size in ((30_000, 30_000), (16_001, 16_000)):
        for reader in (pictures.size, pictures.look, pictures.read):
            with pytest.raises(PictureError, match=r"256 megapixels.*cut it into tiles") as raised:
                reader(BytesIO(png_of(*size)[:10_000]))
            assert raised.value.kind == "large-image"
