"""Label Studio's brush masks: RGBA pixels of the picture as a stream of bits, in runs of equal and of unequal values.

The stream begins with the number of values (32 bits), the bits of a value less one (5) and four lengths in bits less
one (4 each). Each run then has a bit that says whether its values are equal, two bits that choose one of the lengths,
the number of its values less one in so many bits, and the one value or all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from autommlab.bundle_runtime.pictures import MAX_PIXELS

if TYPE_CHECKING:
    import numpy as np

#: Largest stream that is read; masks of photographs have some ten kB.
_MOST_BYTES = 4 << 20
_CHANNELS, _OPAQUE = 4, 128


def brush_mask(stream: Sequence[object], size: tuple[int, int]) -> np.ndarray | None:
    """(height, width) of 0 and 1 where the brush drew on a picture of `size`; None for a stream that does not fit."""
    import numpy as np

    width, height = size
    given = [number for number in stream if isinstance(number, int) and 0 <= number < 256]
    if len(given) < len(stream) or not 8 < len(given) <= _MOST_BYTES or width * height > MAX_PIXELS:
        return None
    bits = _Bits(bytes(given))
    count = bits.read(32)
    if count != width * height * _CHANNELS:
        return None
    each = bits.read(5) + 1
    lengths = [bits.read(4) + 1 for _ in range(4)]
    values = np.zeros(count, np.uint16)
    at = 0
    while at < count and bits.left > 0:
        equal = bits.read(1)
        end = at + 1 + bits.read(lengths[bits.read(2)])
        if equal:
            values[at:end] = bits.read(each) & 0xFF
        else:
            for place in range(at, min(end, count)):
                values[place] = bits.read(each) & 0xFF
        at = end
    if at != count or bits.left < 0:
        return None
    return (values.reshape(height, width, _CHANNELS)[..., 3] >= _OPAQUE).astype(np.uint8)


class _Bits:
    """Reads numbers of any bits from bytes; past the end come zeros, and `left` is below 0."""

    def __init__(self, content: bytes) -> None:
        self._content, self._at = content, 0

    @property
    def left(self) -> int:
        """Bits that are not read yet."""
        return 8 * len(self._content) - self._at

    def read(self, bits: int) -> int:
        """The next bits as a number, the highest first."""
        first, last = self._at >> 3, (self._at + bits + 7) >> 3
        part = self._content[first:last].ljust(last - first, b"\0")
        self._at += bits
        return (int.from_bytes(part) >> (8 * last - self._at)) & ((1 << bits) - 1)
