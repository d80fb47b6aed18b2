"""The one way in which weights are read: as tensors, never as a program, whoever made the file.

A `.pth` file is a pickle beside the memory of its tensors. torch's own `weights_only` stops at the first class that
it does not know, and OpenMMLab's checkpoints name many beside their tensors; a list of allowed ones would grow with
every version of every toolbox, and would import them. So the pickle is read as data (`pickled_data`): tensors and plain
containers are built here, everything else is an `Unread`, and nothing is imported or called. mmengine's loader, which
falls back to unpickling, is replaced by this one (`autommlab.compat`), so that `load_from`, `init_cfg`, evaluation and
resume all end here.
"""

from __future__ import annotations

import io
import struct
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from autommlab.common.errors import ModelError
from autommlab.common.pickled_data import AttackError, read_pickle
from autommlab.common.weights_files import fetched

if TYPE_CHECKING:
    from torch import Tensor, dtype

#: Beginning of a file of torch before 1.6, which OpenMMLab still publishes: torch's magic number and its version.
_MAGIC, _PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
#: The classes of memory in a checkpoint -> the type of their numbers.
_DTYPES = {
    "FloatStorage": "float32", "DoubleStorage": "float64", "HalfStorage": "float16", "BFloat16Storage": "bfloat16",
    "LongStorage": "int64", "IntStorage": "int32", "ShortStorage": "int16", "CharStorage": "int8",
    "ByteStorage": "uint8", "BoolStorage": "bool", "UntypedStorage": "uint8",
}  # fmt: skip


def load_checkpoint(source: str | Path, map_location: Any = None) -> Any:
    """The content of a checkpoint: a file of this machine, or one of the zoo by its URL.

    Args:
        source: path or URL.
        map_location: not looked at; mmengine passes one. Tensors come on the CPU, and are copied from there.

    Returns:
        Plain containers with tensors; what is neither is a `pickled_data.Unread`.

    Raises:
        ModelError: it is no checkpoint, is damaged, made to attack or not there, or may not be fetched.
    """
    text = str(source)
    path = fetched(text) if "://" in text else Path(text).expanduser()
    if not path.is_file():
        raise ModelError(f"the weights file {path} does not exist. Give the path of a PyTorch checkpoint (.pth).")
    try:
        with path.open("rb") as file:
            return _Reader(file, path.stat().st_size).content()
    except AttackError as error:
        raise ModelError(
            f"the weights file {path} names {error}: it was made to run a program on the machine of whoever unpickles "
            "it. Nothing of it was run. Do not use it, and tell where it came from."
        ) from None
    except (OSError, ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        raise _unreadable(path, error) from error
    except (struct.error, zipfile.BadZipFile, EOFError, MemoryError, NotImplementedError) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: BaseException) -> ModelError:
    reason = " ".join(str(error).split())[:200] or type(error).__name__
    return ModelError(
        f"the weights file {path} cannot be loaded: {reason}. Allowed is a PyTorch checkpoint (.pth, written by "
        "torch.save): get the file again, or save its state dict alone."
    )


class _Reader:
    """One open checkpoint, in torch's zip format or the older one of pickles in a row."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file, self._left = file, size
        self._memories: dict[str, Tensor] = {}
        rebuilt: dict[str, Callable[..., Any]] = {
            "torch._utils._rebuild_tensor": self._tensor,
            "torch._utils._rebuild_tensor_v2": self._tensor,
            "torch._utils._rebuild_parameter": _bare,
            "torch._utils._rebuild_parameter_with_state": _bare,
        }
        self._makers: dict[str, Callable[..., Any]] = {
            **rebuilt,
            # A tensor with attributes, as (function, class, arguments, attributes).
            "torch._tensor._rebuild_from_type_v2": lambda maker, _, arguments, __: rebuilt[maker.name](*arguments),
            "collections.OrderedDict": OrderedDict,
            "builtins.set": set,
            "__builtin__.set": set,
        }

    def content(self) -> Any:
        """Everything in it, with the tensors filled."""
        zipped = zipfile.is_zipfile(self._file)
        self._file.seek(0)
        try:
            return self._zipped() if zipped else self._in_a_row()
        finally:  # the makers hold this reader: a circle, which would keep the tensors
            self._makers.clear()
            self._memories.clear()

    def _zipped(self) -> Any:
        with zipfile.ZipFile(self._file) as archive:
            names = archive.namelist()
            if any(name.endswith("/constants.pkl") for name in names):
                raise ValueError("it is a TorchScript program, not a checkpoint")
            pickled = next((name for name in names if name.endswith("data.pkl")), None)
            if pickled is None:
                raise ValueError("it is a zip file without a checkpoint in it")
            folder = pickled.removesuffix("data.pkl")
            if f"{folder}byteorder" in names and archive.read(f"{folder}byteorder") != b"little":
                raise ValueError("its numbers are big-endian; save it again on this kind of machine")
            if any(entry.compress_type != zipfile.ZIP_STORED for entry in archive.infolist()):
                raise ValueError("it is compressed, which torch.save never does; unpack it and pack it without")
            found = read_pickle(io.BytesIO(archive.read(pickled)), self._makers, self._memory)
            for key, memory in self._memories.items():
                with archive.open(f"{folder}data/{key}") as file:
                    _fill(memory, file)
        return found

    def _in_a_row(self) -> Any:
        head = [read_pickle(self._file, {}, _no_memory) for _ in range(3)]
        if head[:2] != [_MAGIC, _PROTOCOL]:
            raise ValueError("it does not begin as torch's files do")
        found = read_pickle(self._file, self._makers, self._memory)
        for key in read_pickle(self._file, {}, _no_memory):
            memory = self._memories[str(key)]
            (count,) = struct.unpack("<q", self._file.read(8))
            if count != memory.numel():
                raise ValueError(f"a tensor has {count} numbers, its description says {memory.numel()}")
            _fill(memory, self._file)
        return found

    def _memory(self, told: Any) -> Tensor:
        """The flat tensor behind a persistent id: ("storage", class, key, device, numbers); filled later.

        Raises:
            ValueError: it is larger than the file.
        """
        import torch

        kind, storage, key, _, count, *view = told
        if kind != "storage" or any(part is not None for part in view) or not isinstance(count, int) or count < 0:
            raise ValueError(f"it describes a tensor in a way that is not supported: {told!r}")
        numbers: dtype = getattr(torch, _DTYPES[storage.name.rpartition(".")[2]])
        if key not in self._memories:
            self._left -= count * numbers.itemsize
            if self._left < 0:
                raise ValueError("its tensors are larger than the file: it is cut off")
            self._memories[str(key)] = torch.empty(count, dtype=numbers)
        return self._memories[str(key)]

    def _tensor(self, memory: Tensor, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: Any) -> Tensor:
        return memory.as_strided(size, stride, offset)


def _bare(tensor: Tensor, *_: Any) -> Tensor:
    """A parameter is its tensor; what else it carries is of the training that made it."""
    return tensor


def _no_memory(_: Any) -> Any:
    raise ValueError("a tensor stands where none belongs")


def _fill(memory: Tensor, file: IO[bytes]) -> None:
    """Read the numbers of a flat tensor.

    Raises:
        ValueError: the file ends before.
    """
    import torch

    if not memory.numel():
        return
    wanted = memory.view(torch.uint8).numpy().data
    done = 0
    while done < len(wanted):
        got = file.readinto(wanted[done:])  # type: ignore[attr-defined]  # both kinds of file have it
        if not got:
            raise ValueError(f"it is cut off: a tensor has {done} of {len(wanted)} bytes")
        done += got
