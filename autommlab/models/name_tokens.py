"""One canonical spelling for model names, so that "yolo x s", "YOLOX-s" and "yolox_s" agree.

A name becomes a tuple of tokens: words joined or split until they are words of the zoo
("deep lab" -> "deeplab", "fasterrcnn" -> "faster", "rcnn"), sizes spelt out ("t" -> "tiny"),
backbones' abbreviations expanded ("r50" -> "resnet", "50"; "b16" -> "base", "p16").
"""

import re
from collections.abc import Collection

SIZES = {
    "n": "nano", "t": "tiny", "ti": "tiny", "s": "small", "m": "medium", "b": "base", "l": "large", "x": "xlarge",
    "xs": "xsmall", "xxs": "xxsmall", "xl": "xlarge", "h": "huge", "g": "giant", "med": "medium",
}  # fmt: skip
SIZE_WORDS = frozenset(SIZES.values()) | {"pico", "femto", "atto", "lite", "slim"}
_RESNET_DEPTHS = {"18", "34", "50", "101", "152"}
_RESNEXT_DEPTHS = {"50", "101", "152"}
_PATCHED = re.compile(r"^(ti|[tsblhg])(8|14|16|32)$")
_TRANSFORMER_PATCH = re.compile(r"(vit|deit|beit)[\s_-]+(ti|[tsblhg])[\s/_-]*(8|14|16|32)\b")
_PIECE = re.compile(r"v\d+|\d+(?:\.\d+)?x\d+[a-z]?|\d+(?:\.\d+)?[mg]f|\d+(?:\.\d+)?x?|[a-z]+?(?=v\d)|[a-z]+")
_LETTER_AND_NUMBER = re.compile(r"^[a-z]\d+$")
_SHORT_FAMILIES = {"res": "resnet", "hr": "hrnet"}
_LONGEST_JOIN = 3
_SHORTEST_PART = 3


def tokens(text: str, words: Collection[str] = ()) -> tuple[str, ...]:
    """Canonical tokens of a written name.

    Args:
        text: anything a person or a toolbox writes.
        words: the zoo's own words, to which neighbouring pieces are joined and long ones split.
    """
    pieces: list[str] = []
    plain = _TRANSFORMER_PATCH.sub(r"\1 \2\3", text.lower().replace("+", " plus "))
    for part in re.split(r"[^a-z0-9.]+", plain):
        pieces.extend(_pieces(part.strip(".")))
    found: list[str] = []
    for piece in _joined(pieces, words):
        found.extend(_expanded(piece, words))
    return tuple(found)


def _pieces(part: str) -> list[str]:
    """Letters apart from digits, except where the two mean one thing: w32, p16, 32x4d, v3, b0."""
    if _LETTER_AND_NUMBER.match(part):
        return [part]
    if re.match(r"^(hr|lite)\d+$", part):
        return [*re.findall(r"[a-z]+|\d+", part)]
    return _PIECE.findall(part)


def _joined(pieces: list[str], words: Collection[str]) -> list[str]:
    """Merge runs of letters that together are one word of the zoo: "retina", "net" -> "retinanet"."""
    merged: list[str] = []
    at = 0
    while at < len(pieces):
        for length in range(min(_LONGEST_JOIN, len(pieces) - at), 1, -1):
            run = pieces[at : at + length]
            if all(piece.isalpha() for piece in run) and "".join(run) in words:
                merged.append("".join(run))
                at += length
                break
        else:
            merged.append(pieces[at])
            at += 1
    return merged


def _expanded(piece: str, words: Collection[str]) -> tuple[str, ...]:
    """What an abbreviation stands for; anything else as it is, or cut in two words of the zoo."""
    patched = _PATCHED.match(piece)
    if patched:
        return (SIZES[patched[1]], f"p{patched[2]}")
    if piece[0] == "r" and piece[1:] in _RESNET_DEPTHS:
        return ("resnet", piece[1:])
    if piece[0] == "x" and piece[1:] in _RESNEXT_DEPTHS:
        return ("resnext", piece[1:])
    short = SIZES.get(piece) or _SHORT_FAMILIES.get(piece)
    return (short,) if short else _cut(piece, words)


def _cut(piece: str, words: Collection[str]) -> tuple[str, ...]:
    if piece.isalpha() and piece not in words:
        for at in range(_SHORTEST_PART, len(piece) - _SHORTEST_PART + 1):
            head, tail = piece[:at], piece[at:]
            if head in words and (tail in words or tail in SIZE_WORDS):
                return (head, tail)
    return (piece,)
