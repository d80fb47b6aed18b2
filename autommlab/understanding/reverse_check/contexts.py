"""What the words around a mention say of it: a limit, a refusal, a camera's rate, somebody else's system.

The word lists are those of the handwritten training requests; what they miss or take wrongly is measured there
(`docs/notes/understanding.md`).
"""

from __future__ import annotations

import re

from autommlab.understanding.request import SpeedUnit
from autommlab.understanding.reverse_check.mentions import Mention
from autommlab.understanding.text import is_refused

_NEGATED = r"\b(?:no|not|never|nothing|none|cannot|without|neither|nor|\w+n't)\b"
_PAST = (
    r"\b(?:was|were|boasts?|reached|claims?|claimed|wrote|asked for|literature|somewhere|own|offer|according|amazing|"
    r"used to|had|old|previous|last year|before|instead of|rather than|tried)\b"
)
#: Of a name that it is only mentioned, that others use or praise it, or that it need not be this one.
_OF_OTHERS = (
    r"\b(?:fail\w*|grief|crash\w*|somebody|someone|they|he|she|forbid\w*|refus\w*|swears?|suggest\w*|students?|"
    r"colleagues?|friend|professor|boffin|labmate|whate?v\w*|any other|or other|care|choose|unavoidable|excluded?|"
    r"out of the question|bar|outside|alone|off the table|do without|too long|said|told|rid of|employs|called|pleased|"
    r"made|if only|desist|anything|living|leave|postdoc|officer|pressed|commended|decides)\b|\?|'s\s*$"
)
_LIMIT = (
    r"(?:\b(?:at most|max(?:imum)?\.?|up to|under|below|within|less than|fewer than|no more than|not more than|"
    r"no longer than|not exceed(?:ing)?|limit(?:ed)?(?: to| of| is)?|budget(?: of| is)?|in under|inside|"
    r"cap(?:ped)?(?: at| of)?)|<=?|\u2264)(?:\s+(?:a|an|the|of))?\s*$"
)
_LEAST = (
    r"(?:\b(?:at least|minimum(?: of)?|min\.?|no less than|not less than|no fewer than|more than|over|above|exceeding)|"
    r">=?|\u2265)\s*$"
)
_MOST = (
    r"(?:\b(?:at most|below|under|less than|lower than|no more than|not more than|max(?:imum)?(?: of)?)|<=?|\u2264)\s*$"
)
#: What a camera does, and what people do: no demand on inference.
_CAMERA = (
    r"\b(?:dashcam|clips|slo.?mo|machine shows|gantry|ran|costs?|cameras?|cams?|webcam|gopro|films?|filmed|filming|"
    r"shoots?|records?|recorded|recording|streams?|video|footage|sensor|delivers?|captures?|captured|runs at|comes? at|"
    r"arrives?|feed|conveyor|belt)\b"
)
_PEOPLE = (
    r"\b(?:by hand|manual(?:ly)?|takes? (?:me|us|him|her|them|somebody|someone|people)|by eye|spends?|currently|"
    r"at present|today)\b"
)
#: What makes a demand of a rate all the same.
_DEMAND = (
    r"\b(?:needs?|needed|want(?:ed)?|must|should|keeps? (?:up|pace)|process(?:ed|es)?|enough|plenty|answers?|fine|good|"
    r"inference|live|real[- ]?time|ok|okay|wish|require[sd]?|analy\w+|has to|have to|please|do|every|all|sorting|"
    r"worst case|nuc|jetson|deck)\b"
)
_CLAUSE = re.compile(r"[,;:()\u2013\u2014]|\b(?:but|and|although|though|while|so|which|where|from)\b")
#: A time or rate of one picture.
_EACH = (
    r"^\s*(?:/|per|an?|each|every|for each|for every|on each|for one|for an?)\s*"
    r"(?:image|picture|photo|frame|shot|scan|answer|sheet|slide|page)"
)
#: Of a device that trains, or that somebody else has.
_NOT_THERE = (
    r"\b(?:train\w*|learnt|learns|teach\w*|went|wrote|written|noted|offered|lends?|lent|costs?|unprovided|w/o|last|"
    r"proto\w+|if)\b"
)
_LACKS_BEFORE = (
    r"(?:\b(?:no|without|not|lacks?|lacking|zero|nor|any|less|instead of|sans|has not|have not|got no|never|"
    r"unprovided with)\b|n't\b|w/o)[^,;\d]{0,15}$"
)
_LACKS_AFTER = (
    r"^\s*(?:-\s*free\b|free\b|less\b|: no\b|\? no\b|is (?:not|missing|absent|broken)|(?:are|is) out of the question)"
)


def is_limit(mention: Mention, text: str) -> bool:
    """Whether the words before an amount make it an upper limit."""
    return re.search(_LIMIT, mention.before(text)) is not None


def is_least(mention: Mention, text: str) -> bool:
    """Whether the words before an amount make it a lower limit ("at least"), and do not deny that ("no more than")."""
    return _bounded(_LEAST, mention, text)


def is_most(mention: Mention, text: str) -> bool:
    """As `is_least` for an upper limit."""
    return _bounded(_MOST, mention, text)


def bound_words(mention: Mention, text: str) -> str:
    """The words of the limit with the amount: "at least 10 M parameters"."""
    found = re.search(f"{_LEAST}|{_MOST}", mention.before(text))
    return f"{found.group().strip()} {mention.words}" if found else mention.words


def is_aside(mention: Mention, text: str) -> bool:
    """Whether an amount is denied, past, or somebody else's."""
    return re.search(f"{_NEGATED}|{_PAST}", f"{mention.before(text)} {mention.words} {mention.after(text)}") is not None


def is_elsewhere(mention: Mention, text: str) -> bool:
    """Whether an amount of time is told of a camera, a conveyor or people."""
    before, after = (_CLAUSE.split(part) for part in (mention.before(text), mention.after(text)))
    clause = f"{before[-1]} {after[0]}"
    if re.search(_PEOPLE, clause):
        return True
    return bool(re.search(_CAMERA, clause)) and not re.search(_DEMAND, f"{clause} {' '.join(after[1:])}")


def is_demanded_speed(mention: Mention, text: str) -> bool:
    """Whether a time or a rate reads like a demand on the model though no field holds it."""
    before, after = mention.before(text), mention.after(text)
    if re.search(f"{_CAMERA}|{_PEOPLE}|{_NEGATED}|{_PAST}|{_OF_OTHERS}", f"{before} {after}"):
        return False
    if is_limit(mention, text) or re.search(_EACH, after):
        return True
    return mention.unit in (SpeedUnit.MS, SpeedUnit.FPS)


def is_turned_down(mention: Mention, text: str) -> bool:
    """Whether a name is refused, or only mentioned."""
    # "With TensorRT, no more than 5 MB" denies something else.
    after = re.split(r",(?=\s*(?:no|not) (?:more|less|longer|fewer))", mention.after(text))[0]
    near = f"{mention.before(text)} {after}"
    return is_refused(text, mention.words) or re.search(f"{_NEGATED}|{_PAST}|{_OF_OTHERS}", near) is not None


def is_lacking(mention: Mention, text: str) -> bool:
    """Whether a device is named as missing: "no GPU", "GPU-free"."""
    before, after = mention.before(text), mention.after(text)
    return re.search(_LACKS_BEFORE, before) is not None or re.search(_LACKS_AFTER, after) is not None


def is_other_device(mention: Mention, text: str) -> bool:
    """Whether a device is one that trains, or that is not there."""
    around = f"{mention.before(text)[-30:]} {mention.after(text)}"
    return re.search(f"{_NEGATED}|{_NOT_THERE}", around) is not None


def around(mention: Mention, text: str) -> str:
    """The mention with a word or two of its neighbours."""
    return text[max(0, mention.start - 12) : mention.end + 8].strip()


def _bounded(pattern: str, mention: Mention, text: str) -> bool:
    before = mention.before(text)
    found = re.search(pattern, before)
    return found is not None and not re.search(_NEGATED + r"\s*$", before[: found.start()])
