"""Colours as three numbers of 0..255; no heavy import, so that tables of colours stay cheap to load."""

Colour = tuple[int, int, int]


def shade(colour: Colour, factor: float) -> Colour:
    """The colour made darker (factor < 1) or lighter."""
    red, green, blue = (min(255, int(channel * factor)) for channel in colour)
    return red, green, blue
