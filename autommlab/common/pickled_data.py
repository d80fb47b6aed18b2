"""Reads a pickle as data: what it describes is built from plain containers, what it names is never imported or called.

A pickle is a program for a stack machine whose words are "take this function", "call it". `pickletools.genops` splits
it into words without obeying any; the machine below obeys those that make numbers, texts, lists and dicts, and leaves
an `Unread` in the place of everything else. So it needs no list of what is safe, and takes what OpenMMLab's
checkpoints carry beside their tensors (log buffers, numpy scalars, configs of mmengine and mmcv) in any version.
"""

from __future__ import annotations

import pickletools
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import IO, Any

#: What is made when a pickle calls the function of this name; it gets the call's arguments, which are data too.
Makers = Mapping[str, Callable[..., Any]]

#: Words that push their own argument.
_PLAIN = {
    "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT", "STRING", "BINSTRING",
    "SHORT_BINSTRING", "UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8", "BINBYTES", "SHORT_BINBYTES",
    "BINBYTES8", "BYTEARRAY8",
}  # fmt: skip
_NEW: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None, "NEWTRUE": lambda: True, "NEWFALSE": lambda: False, "EMPTY_LIST": list,
    "EMPTY_TUPLE": tuple, "EMPTY_DICT": dict, "EMPTY_SET": set,
}  # fmt: skip
_WITHOUT_EFFECT = {"PROTO", "FRAME"}
#: Modules and builtins that attacks name and no description of a training does. They are not obeyed either way: the
#: list only decides that the person is told instead of being given a model that somebody else tampered with.
_ATTACKS = {
    "asyncio", "codeop", "commands", "ctypes", "importlib", "multiprocessing", "nt", "os", "pdb", "pip", "pkgutil",
    "posix", "pty", "runpy", "shutil", "socket", "subprocess", "sys", "threading", "timeit", "webbrowser",
}  # fmt: skip
_ATTACKS_BUILT_IN = {"breakpoint", "compile", "eval", "exec", "execfile", "input", "open", "__import__"}


class AttackError(Exception):
    """The pickle names a function that runs programs or opens files; nothing was called."""


class Unread:
    """Stands for a class, a function or an object that is not wanted.

    Attributes:
        name: of the class or function, "module.name".
    """

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"<unread {self.name}>"


def read_pickle(file: IO[bytes], makers: Makers, storage: Callable[[Any], Any]) -> Any:
    """The content of the pickle that begins here; the file is left behind its end.

    Args:
        makers: by "module.name"; calls of any other function come out as `Unread`.
        storage: takes a persistent id, torch's way to name a tensor's memory.

    Raises:
        AttackError: it would run a program if it were unpickled.
        ValueError: it is no pickle, or one with words that no checkpoint has.
        LookupError, TypeError: its words do not fit together.
    """
    machine = _Machine(makers, storage)
    for word, argument, _ in pickletools.genops(file):
        if word.name == "STOP":
            return machine.stack.pop()
        machine.obey(word.name, argument)
    raise ValueError("the pickle has no end")


class _Machine:
    """Stack, marks and memo of a pickle that is being read."""

    def __init__(self, makers: Makers, storage: Callable[[Any], Any]) -> None:
        self.stack: list[Any] = []
        self._below: list[list[Any]] = []
        self._memo: dict[int, Any] = {}
        self._makers, self._storage = makers, storage

    def obey(self, word: str, argument: Any) -> None:
        """Do what one word says."""
        if word in _PLAIN:
            self.stack.append(argument)
        elif word in _NEW:
            self.stack.append(_NEW[word]())
        elif word in _WORDS:
            _WORDS[word](self, argument)
        elif word not in _WITHOUT_EFFECT:
            raise ValueError(f"the pickle has the word {word}, which no checkpoint needs")

    def _since_mark(self) -> list[Any]:
        items, self.stack = self.stack, self._below.pop()
        return items

    def _mark(self, _: Any) -> None:
        self._below.append(self.stack)
        self.stack = []

    def _keep(self, place: Any) -> None:
        self._memo[len(self._memo) if place is None else int(place)] = self.stack[-1]

    def _recall(self, place: Any) -> None:
        self.stack.append(self._memo[int(place)])

    def _pop(self, _: Any) -> None:
        if self.stack:
            self.stack.pop()
        else:
            self._since_mark()

    def _last(self, count: int) -> None:
        items = tuple(self.stack[-count:])
        del self.stack[-count:]
        self.stack.append(items)

    def _extend(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if isinstance(target, list):
            target.extend(items)
        elif isinstance(target, set):
            target.update(items)

    def _set_items(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if isinstance(target, dict):
            target.update(zip(items[::2], items[1::2], strict=True))

    def _set_item(self, _: Any) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self._set_items([key, value])

    def _collect(self, kind: Callable[[list[Any]], Any]) -> None:
        items = self._since_mark()
        self.stack.append(kind(items))

    def _name(self, name: str) -> None:
        _refuse_attack(name)
        self.stack.append(Unread(name))

    def _name_by_stack(self, _: Any) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        self._name(f"{module}.{name}")

    def _call(self, function: Any, arguments: Any) -> None:
        """What a call comes to; the function is a name here, and stays one."""
        name = function.name if isinstance(function, Unread) else type(function).__name__
        maker = self._makers.get(name) if isinstance(function, Unread) else None
        self.stack.append(maker(*arguments) if maker else Unread(name))

    def _reduce(self, _: Any) -> None:
        arguments, function = self.stack.pop(), self.stack.pop()
        self._call(function, arguments)

    def _new_with_keywords(self, _: Any) -> None:
        self.stack.pop()
        self._reduce(None)

    def _instance(self, named: Any) -> None:
        items = self._since_mark()
        if named:
            self._name(_dotted(named))
        else:
            self.stack.append(items.pop(0))
        self._call(self.stack.pop(), items)

    def _set_state(self, _: Any) -> None:
        """Of all states only the versions of torch's state dicts are kept: toolboxes convert old tensors by them."""
        state, target = self.stack.pop(), self.stack[-1]
        versions = state.get("_metadata") if isinstance(state, dict) else None
        if type(target) is OrderedDict and isinstance(versions, dict):
            target._metadata = versions  # type: ignore[attr-defined]


def _refuse_attack(name: str) -> None:
    module, _, function = name.rpartition(".")
    built_in = module in ("builtins", "__builtin__") and function in _ATTACKS_BUILT_IN
    if built_in or module.partition(".")[0] in _ATTACKS:
        raise AttackError(name)


def _dotted(named: str) -> str:
    """The name behind the words GLOBAL and INST, whose argument is "module name"."""
    return ".".join(named.split(" ", 1))


_WORDS: dict[str, Callable[[_Machine, Any], None]] = {
    "MARK": _Machine._mark,
    "POP": _Machine._pop,
    "POP_MARK": lambda machine, _: machine._since_mark().clear(),
    "DUP": lambda machine, _: machine.stack.append(machine.stack[-1]),
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"), _Machine._keep),
    **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), _Machine._recall),
    "TUPLE": lambda machine, _: machine._collect(tuple),
    "TUPLE1": lambda machine, _: machine._last(1),
    "TUPLE2": lambda machine, _: machine._last(2),
    "TUPLE3": lambda machine, _: machine._last(3),
    "LIST": lambda machine, _: machine._collect(list),
    "FROZENSET": lambda machine, _: machine._collect(frozenset),
    "DICT": lambda machine, _: machine._collect(lambda items: dict(zip(items[::2], items[1::2], strict=True))),
    "APPEND": lambda machine, _: machine._extend([machine.stack.pop()]),
    **dict.fromkeys(("APPENDS", "ADDITEMS"), lambda machine, _: machine._extend(machine._since_mark())),
    "SETITEM": _Machine._set_item,
    "SETITEMS": lambda machine, _: machine._set_items(machine._since_mark()),
    "GLOBAL": lambda machine, named: machine._name(_dotted(named)),
    "STACK_GLOBAL": _Machine._name_by_stack,
    **dict.fromkeys(("REDUCE", "NEWOBJ"), _Machine._reduce),
    "NEWOBJ_EX": _Machine._new_with_keywords,
    **dict.fromkeys(("INST", "OBJ"), _Machine._instance),
    "BUILD": _Machine._set_state,
    "BINPERSID": lambda machine, _: machine.stack.append(machine._storage(machine.stack.pop())),
}
