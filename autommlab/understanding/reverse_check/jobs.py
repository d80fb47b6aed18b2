"""Jobs that no request can hold: another task than the four, two at once, none, or a text that is not in English."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

from autommlab.tasks import Task
from autommlab.understanding.outcome import Doubt
from autommlab.understanding.request import ModelRequest

#: Characters on both sides of words that ask for a job, in which they may be taken back.
_NEAR = 45
_DECLINED = re.compile(
    r"\b(?:no|not|never|nothing|without|isn't|don't|doesn't|won't|needn't|instead of|rather than|will do|do by|another|"
    r"later|said|told|wrote|written|asked for|asked to|suggest\w*|thought|labmate|proposed|proposal|mistake|correct|"
    r"offered|contradict|other|else|myself|ourselves|already|themselves|after|before|tried|separate|next)\b|n't\b"
)
_QUOTED = re.compile(r"[\"\u201c\u2018']\s*(?:[\w-]+ ){0,2}$")
#: Job -> what asks for it.
_OTHER_JOBS = {
    "depth estimation": (
        r"depth[- ](?:estimat\w+|prediction|map (?:of|from|for))|estimat\w+ (?:of )?(?:the )?depth|monocular depth"
    ),
    "reading text (OCR)": (
        r"(?<![\w-])ocr(?!\w)|optical character|text recognition|"
        r"(?:^|\b(?:to|should|must|can|please|that|and)\s+)(?:read|recogni[sz]e|transcribe)s? (?:out )?"
        r"(?:the |all |any |each |every )*(?:text|number ?plates?|licen[cs]e ?plates?|serial numbers?|handwriting|"
        r"invoices?|receipts?)"
    ),
    "captions": r"\bcaption(?:s|ing)?\b|describe (?:the|each|every) (?:image|picture|photo)s? in",
    "tracking over time": (
        r"(?:multi[- ])?object[- ]tracking|re-?identif\w+|"
        r"track\w* (?:\w+ ){1,4}(?:across|over|between|through) (?:the )?(?:frames|video|time)"
    ),
    "making or changing pictures": (
        r"text[- ]to[- ]image|inpaint\w*|super-?resolution|deblur\w*|denois\w+|upscal\w+|"
        r"generat(?:e|es|ing|ion of) (?:new |realistic |synthetic )*(?:images?|pictures?|photos?|faces)"
    ),
    "3D reconstruction": r"3d[- ]reconstruct\w*|point[- ]clouds?\b|optical flow",
    "forecasting": r"\b(?:forecast|predict) (?:the )?(?:prices?|sales|weather|demand|stock\w*)",
}
_JOBS = {name: re.compile(pattern, re.IGNORECASE) for name, pattern in _OTHER_JOBS.items()}

#: Textbook words; how else people say a task is the LLM's to know.
_TASK_WORDS = {
    Task.CLASSIFICATION: r"classif(?:y|ies|ying|ication|ier)",
    Task.DETECTION: r"detect(?:s|ing|ion|or)?|locali[sz]e|bounding[- ]box(?:es)?",
    Task.SEGMENTATION: r"segmentation|segmenting|segment(?= (?:the|each|every|all|any|my|our))",
    Task.KEYPOINT: r"key-?points?|landmarks?|pose estimation|estimate (?:the |their |its )?poses?",
}
_ANY_TASK = re.compile(
    r"\b(?:" + "|".join(f"(?P<{task.value}>{words})" for task, words in _TASK_WORDS.items()) + r")\b", re.IGNORECASE
)
_JOINED = re.compile(r"^[^.;:!?]{0,40}\b(?:and|plus|as well as|and then|then|also|&)\b[^.;:!?]{0,25}$")
#: Words that ask for nothing.
_FILLER = frozenset(
    ("a", "an", "the", "and", "or", "of", "in", "my", "some", "all", "vs", "please", "images", "pictures", "photos")
)
_STEM = 3

#: Frequent small words that English lacks.
_SMALL_WORDS = {
    "German": (
        "und der das ist nicht ein eine einen auf mit f\u00fcr auch wir ich zu von dem den sind wie oder bitte "
        "erkennen finde alle im bild"
    ),
    "French": "les des une est dans pour avec sur pas qui et que vous nous je du au ou d\u00e9tecter trouver",
    "Spanish": "el los las una es en para con que por y del quiero detectar como sobre se",
    "Portuguese": "os um uma s\u00e3o para com n\u00e3o do da quero detectar mais voc\u00ea",
    "Italian": "il gli uno \u00e8 per che non di del della sono voglio rilevare e con",
    "Dutch": "het een en niet van voor met zijn ik wij op te dat herkennen",
    "Polish": "na nie si\u0119 jest \u017ce oraz chc\u0119 wykryj",
}
_ENGLISH = (
    "the a an of and to in is it for on with that this at by from or not are be as we i you my our want need detect "
    "find which where picture photo image each every all per no model"
)
_FEWEST_SMALL_WORDS = 2
_OTHER_SCRIPT = re.compile(
    r"[\u0370-\u03ff\u0400-\u052f\u0590-\u07ff\u0900-\u0dff\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]"
)


_EITHER = re.compile(r"\bor\b|/", re.IGNORECASE)


def doubts(text: str, request: ModelRequest) -> Iterator[Doubt]:
    """Jobs outside the schema, tasks that are not used or not said, and other languages."""
    yield from _unsaid_task(text, request)
    yield from _other_jobs(text, request)
    yield from _several_tasks(text, request)
    yield from _other_task(text, request)
    if hint := other_language(text):
        yield Doubt(field="object", says=hint)


def _unsaid_task(text: str, request: ModelRequest) -> Iterator[Doubt]:
    """A text that names things and nothing to be done with them; "ripe or unripe?" asks for one of both."""
    if request.model.task is Task.CLASSIFICATION and _EITHER.search(text):
        return
    words = [word for word in _words(text) if word not in _FILLER]
    things = [word for name in request.data.object for word in _words(name)]
    task, named = request.model.task, ", ".join(request.data.object)
    if words and all(any(word[:_STEM] == thing[:_STEM] for thing in things) for word in words):
        says = f"the text does not say what to do with {named}: {task} is a guess"
        yield Doubt(field="task", says=says, choices=_others(task))


def _other_jobs(text: str, request: ModelRequest) -> Iterator[Doubt]:
    for name, pattern in _JOBS.items():
        asked = next((found for found in pattern.finditer(text) if not _is_declined(text, found)), None)
        if asked is not None:
            tasks = ", ".join(task.value for task in Task)
            says = f"{name} is none of the tasks here ({tasks}); it was read as {request.model.task}"
            yield Doubt(field="task", about=asked.group().strip(), says=says, choices=_others(request.model.task))


def _several_tasks(text: str, request: ModelRequest) -> Iterator[Doubt]:
    """Two tasks joined by "and", of which a request holds one."""
    for one, other in itertools.pairwise(_task_words(text)):
        tasks = {Task(one.lastgroup or ""), Task(other.lastgroup or "")}
        between = text[one.end() : other.start()].casefold()
        if len(tasks) == 2 and _JOINED.search(between) and not _DECLINED.search(between):
            left = (tasks - {request.model.task}).pop()
            says = f"the text asks for two tasks; a run does one, here {request.model.task}, and {left} is not used"
            yield Doubt(field="task", about=text[one.start() : other.end()], says=says, choices=(left.value,))
            return


def _other_task(text: str, request: ModelRequest) -> Iterator[Doubt]:
    """The word of one task, and of no other, where the parse has another."""
    found = _task_words(text)
    tasks = {Task(one.lastgroup or "") for one in found}
    if len(tasks) == 1 and request.model.task not in tasks:
        said = found[0].group()
        says = f'"{said}" became the task {request.model.task}'
        yield Doubt(field="task", about=said, says=says, choices=(tasks.pop().value,))


def other_language(text: str) -> str:
    """That a text is not in English, in words; "" where it looks like English."""
    words = re.findall(r"[^\W\d_]+", text.casefold())
    counts = {name: len(set(small.split()) & set(words)) for name, small in _SMALL_WORDS.items()}
    name, count = max(counts.items(), key=lambda item: item[1])
    is_other_script = 2 * len(_OTHER_SCRIPT.findall(text)) > sum(map(len, words))
    if is_other_script or (count >= _FEWEST_SMALL_WORDS and count > len(set(_ENGLISH.split()) & set(words))):
        looks = "is in another script" if is_other_script else f"looks like {name}"
        return f"the text {looks}; requests are understood in English, and classes are found by English names"
    return ""


def _task_words(text: str) -> list[re.Match[str]]:
    return [found for found in _ANY_TASK.finditer(text) if not _is_declined(text, found)]


def _is_declined(text: str, found: re.Match[str]) -> bool:
    """Whether a job is somebody's words, or taken back nearby ("not OCR", "we said detection")."""
    before = text[max(0, found.start() - _NEAR) : found.start()]
    around = f"{before} {text[found.end() : found.end() + _NEAR]}"
    return _QUOTED.search(before) is not None or _DECLINED.search(around.casefold()) is not None


def _others(task: Task) -> tuple[str, ...]:
    return tuple(other.value for other in Task if other is not task)


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W\d_]+", text.casefold())
