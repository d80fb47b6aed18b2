"""The values of masks, looked up without a table of all pixels."""

import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from autommlab.data.bag_files import grey_png
from autommlab.data.readers.masks import mapped, mapped_values, present

RNG = np.random.default_rng(0)
MASKS = {
    "noise": RNG.integers(0, 256, (13, 7), np.uint8),
    "one value": np.full((4, 5), 7, np.uint8),
    "the last pixel alone": np.array([[0, 0, 0], [0, 0, 9]], np.uint8),
    "rows of a wider picture": RNG.integers(0, 4, (9, 30), np.uint8)[:, 3:11],
    "sixteen bits": RNG.integers(0, 1000, (11, 6), np.uint16),
    "nothing": np.zeros((0, 3), np.uint8),
}
MAPS = {"none": (), "the identity": ((0, 0), (7, 7), (9, 9)), "scattered": ((0, 3), (3, 0), (7, 255), (900, 1))}


@pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS)
def test_present_values_are_all_values_once(mask: NDArray[np.unsignedinteger]) -> None:
    assert present(mask) == np.unique(mask).tolist()


@pytest.mark.parametrize("mask_map", MAPS.values(), ids=MAPS)
@pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS)
def test_mapping_the_values_is_mapping_the_pixels(
    mask: NDArray[np.unsignedinteger], mask_map: tuple[tuple[int, int], ...]
) -> None:
    pixels = mapped(mask, mask_map)
    assert pixels.dtype == np.uint8
    assert pixels.shape == mask.shape
    expected = dict(mask_map) if mask_map else {value: min(value, 255) for value in range(1000)}
    assert pixels.ravel().tolist() == [expected.get(value, 255) for value in mask.ravel().tolist()]
    assert mapped_values(present(mask), mask_map) == np.unique(pixels).tolist()


@pytest.mark.parametrize("name", ["noise", "one value", "rows of a wider picture"])
def test_a_written_mask_is_a_grey_png_of_the_same_pixels(name: str) -> None:
    with Image.open(io.BytesIO(grey_png(MASKS[name].astype(np.uint8)))) as written:
        assert (written.format, written.mode) == ("PNG", "L")
        assert np.array_equal(np.asarray(written), MASKS[name])
