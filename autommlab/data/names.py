"""How names of things are compared: spelling, plurals, alternative names, initials.

No meanings here; these are in `autommlab.data.senses`.
"""

import re
import unicodedata
from functools import cache

from autommlab.common.quick_imports import inflect_engine

#: Spellings of well-known data sets that no rule takes apart (Pascal VOC).
_RUN_TOGETHER = {
    "diningtable": "dining table",
    "pottedplant": "potted plant",
    "tvmonitor": "tv monitor",
}
#: Line breaks, control characters and halves of a character (a byte that is no UTF-8).
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_IMAGENET_ID = re.compile(r"^(n\d{8})(?![0-9a-zA-Z])[\s_:,-]*")


def clean_name(name: str) -> str:
    """A name as it is written everywhere: no line break or other control character, single spaces at these places.

    Its letters are whole ones, however a Mac has written their accents.
    """
    name = unicodedata.normalize("NFC", name)
    if _CONTROL.search(name) is None:
        return name.strip()
    spaced = re.sub(r"[\s\x00-\x1f\x7f-\x9f\u2028\u2029]+", " ", name)
    return "".join(
        letter if _CONTROL.match(letter) is None else "\N{REPLACEMENT CHARACTER}" for letter in spaced
    ).strip()


def plain_name(name: str) -> str:
    """Lower case, words apart by single spaces: "Traffic_Light", "trafficLight" -> "traffic light"."""
    apart = re.sub(r"(?<=[a-z])(?=[A-Z][a-z])", " ", name)
    words = " ".join(re.sub(r"[_\-/.]+", " ", apart).split()).lower()
    return _RUN_TOGETHER.get(words, words)


def alternatives(class_name: str) -> tuple[str, ...]:
    """The plain names that a class name holds: "n02123045 tabby, tabby cat" -> ("tabby", "tabby cat").

    A comma parts names only before a space ("Pepper,_bell" is one). A remark in brackets is left out, and comes back
    in a last name of its own: "Cherry (sour)" -> ("cherry", "cherry sour").
    """
    text = _IMAGENET_ID.sub("", class_name.strip())
    remarks = re.findall(r"\(([^)]*)\)", text)
    parts = re.split(r",\s+", re.sub(r"\s*\([^)]*\)", "", text))
    if any(re.search(r"[^\W\d_]", remark) and imagenet_id(remark) is None for remark in remarks):
        parts.append(re.sub(r"[()]", " ", text))
    names = [plain_name(part.replace(",", " ")) for part in parts]
    return tuple(dict.fromkeys(name for name in names if name))


def imagenet_id(class_name: str) -> str | None:
    """The ImageNet id that a class name begins with ("n02123045"), None where there is none."""
    found = _IMAGENET_ID.match(class_name.strip())
    return found.group(1) if found else None


def same(one: str, other: str) -> bool:
    """Whether two plain names are spelt alike but for spaces ("trafficlight", "traffic light")."""
    return one.replace(" ", "") == other.replace(" ", "")


def same_words(one: str, other: str) -> bool:
    """Whether two plain names hold the same words in another order ("healthy tomato", "tomato healthy")."""
    first, second = one.split(), other.split()
    return len(first) == len(second) > 1 and sorted(map(singular, first)) == sorted(map(singular, second))


def head(name: str) -> str:
    """The noun that a compound is a kind of: its last word, or the one before " of ", " with " ..."""
    core = re.split(r" (?:of|with|in|on|for|from|at) ", name, maxsplit=1)[0]
    return core.rsplit(" ", 1)[-1]


def plural_of(one: str, other: str) -> bool:
    """Whether two plain names differ in number only ("bus", "buses"; "person", "people"; "persons", "people").

    Asked from the singular first, as guessing a singular is what goes wrong ("bus" -> "bu").
    """
    if not (one and other and one[-1].isalpha() and other[-1].isalpha()) or one[0] != other[0] or one == other:
        return False
    return _is_plural(other, of=one) or _is_plural(one, of=other) or singular(one) == singular(other)


@cache
def singular(name: str) -> str:
    """The singular of a plural, the name itself where it is no plural."""
    if not name or not name[-1].isalpha() or len(head(name)) < 4:
        return name
    guess = inflect_engine().singular_noun(name)
    if not guess or len(head(str(guess))) < 3 or not _is_plural(name, of=str(guess)):
        return name
    return str(guess)


def initials_of(one: str, other: str) -> bool:
    """Whether one name is the initials of the other ("rbc" of "red blood cell")."""
    short, long = sorted((one, other), key=len)
    words = singular(long).split()
    return len(words) >= 2 and short in ("".join(word[0] for word in words), "".join(w[0] for w in words) + "s")


def _is_plural(name: str, *, of: str) -> bool:
    # compare_nouns knows old plurals beside the everyday one ("persons" and "people").
    return same(name, _plural(of)) or inflect_engine().compare_nouns(of, name) == "s:p"


@cache
def _plural(name: str) -> str:
    return str(inflect_engine().plural_noun(name))
