"""The training loop: LoRA on a causal language model, loss on answers only, early stopping, resumable."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field

from training_data_gen.adapters.examples import IGNORED, Encoded, Example, batches, encode
from training_data_gen.adapters.state import TrainingState, restore_state, snapshot

LOG_FILE = "training-log.jsonl"
#: Seconds of training that a crash may cost at most, beside the snapshots at evaluations.
SNAPSHOT_S = 240.0


class LoraSettings(BaseModel):
    """How an adapter is trained; everything that decides the outcome besides base and data.

    Attributes:
        rank, alpha, dropout: of the LoRA matrices on all linear layers. On a CPU the drawing of what is dropped takes
            a quarter of the time, and with one pass over the data there is little to forget.
        lr: peak learning rate of AdamW; linear warm-up, cosine decay to a tenth.
        epochs: most passes over the data.
        batch_tokens: padded tokens of one optimiser step.
        max_tokens: longer examples are refused, never cut.
        evaluations: held-out evaluations an epoch.
        patience: evaluations without a new best held-out loss after which training stops.
        dtype: of the weights that are kept fixed.
        mixed: matrix products in bfloat16 beside weights in float32; None = where the processor has them.
        start: folder of a finished adapter of this rank and alpha whose weights the training begins with; a path of
            this machine, so it is in no dump.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rank: int = 16
    alpha: int = 32
    dropout: float = 0.0
    lr: float = 5e-4
    epochs: int = 4
    batch_tokens: int = 4096
    max_tokens: int = 2048
    warmup_share: float = 0.05
    evaluations: int = 4
    patience: int = 4
    seed: int = 0
    dtype: Literal["float32", "bfloat16"] = "float32"
    mixed: bool | None = None
    start: Path | None = Field(default=None, exclude=True)


class LoraResult(BaseModel):
    """What came out; the adapter of the best held-out loss lies in `folder`.

    Attributes:
        mixed: whether matrix products were made in bfloat16.
    """

    folder: Path
    steps: int
    best_step: int
    best_loss: float
    first_loss: float
    tokens: int
    seconds: float
    device: str
    mixed: bool = False


Progress = Callable[[int, int, float, float], None]


def finetune(
    base: Path,
    train: Sequence[Example],
    held_out: Sequence[Example],
    folder: Path,
    settings: LoraSettings,
    *,
    base_name: str,
    device: str = "auto",
    progress: Progress = lambda step, total, loss, held: None,
) -> LoraResult:
    """Train an adapter, or go on with the one in `folder`.

    Args:
        base: folder of the base model.
        train, held_out: examples; they must share no group.
        folder: gets adapter_model.safetensors, adapter_config.json and the log.
        settings: see `LoraSettings`.
        base_name: written into the adapter's config instead of this machine's path.
        device: "auto", "cpu" or "cuda".
        progress: told (step, steps in all, training loss, held-out loss) after each evaluation.

    Raises:
        ValueError: shared groups, an example that is too long, nothing to train on, or a base without chat template.
    """
    shared = {e.group for e in train} & {e.group for e in held_out}
    if shared or not train or not held_out:
        raise ValueError(
            f"{len(train)} training and {len(held_out)} held-out examples share groups {sorted(shared)[:3]}: "
            "both must be there, and a group on one side only"
        )
    run = LoraTraining(base, folder, settings, base_name, _device(device))
    own, other = run.encoded(train), run.encoded(held_out)
    return run.go(own, other, progress)


class LoraTraining:
    """One training on one base model; `finetune` is the way to it.

    Args:
        base: folder of the base model.
        folder: of the adapter; made if it is not there.
        settings: see `LoraSettings`.
        base_name: for the adapter's config.
        device: "cpu" or "cuda".

    Raises:
        ValueError: the base model has no chat template.
    """

    def __init__(self, base: Path, folder: Path, settings: LoraSettings, base_name: str, device: str) -> None:
        from peft import LoraConfig, get_peft_model
        from transformers import AutoModelForCausalLM, AutoTokenizer

        torch.manual_seed(settings.seed)
        self.folder, self.settings, self.device = folder, settings, device
        self.mixed = _has_bfloat16(device) if settings.mixed is None else settings.mixed
        self.tokenizer = AutoTokenizer.from_pretrained(base)
        if not self.tokenizer.chat_template:
            raise ValueError(
                f"the base model {base_name} has no chat template: take the instruct model of its family, or put a "
                "chat_template.jinja into a folder with its files"
            )
        # The backward pass of torch's fused attention on a CPU takes a quarter of a step, plain products a tenth of it.
        attention = "eager" if device == "cpu" else None
        model = AutoModelForCausalLM.from_pretrained(
            base, dtype=getattr(torch, settings.dtype), attn_implementation=attention
        )
        config = LoraConfig(
            r=settings.rank,
            lora_alpha=settings.alpha,
            lora_dropout=settings.dropout,
            target_modules="all-linear",
            task_type="CAUSAL_LM",
        )
        self.model: Any = get_peft_model(model, config).to(device)
        if settings.start is not None:
            self.model.load_adapter(settings.start, "default", is_trainable=True)
        self.model.peft_config["default"].base_model_name_or_path = base_name
        self.plain_head = _plain_head(self.model)
        self.trained = [p for p in self.model.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(self.trained, lr=settings.lr, weight_decay=0.0)
        folder.mkdir(parents=True, exist_ok=True)

    def encoded(self, examples: Sequence[Example]) -> list[Encoded]:
        """Examples as token ids.

        Raises:
            ValueError: one is too long, or the chat template cannot be learnt from.
        """
        made = [encode(example, self.tokenizer) for example in examples]
        longest = max(made, key=lambda e: len(e.ids))
        if len(longest.ids) > self.settings.max_tokens:
            raise ValueError(
                f"an example has {len(longest.ids)} tokens, allowed are {self.settings.max_tokens}; "
                "shorten it or raise max_tokens"
            )
        return made

    def go(self, train: list[Encoded], held_out: list[Encoded], progress: Progress) -> LoraResult:
        """Train to the end, from the last snapshot if there is one."""
        settings = self.settings
        per_epoch = [list(batches(train, settings.batch_tokens, settings.seed + e)) for e in range(settings.epochs)]
        total = sum(map(len, per_epoch))
        interval = max(1, math.ceil(len(per_epoch[0]) / settings.evaluations))
        state = restore_state(self.folder, self.model, self.optimizer) or TrainingState(best_loss=self.loss(held_out))
        state.first_loss = state.first_loss or state.best_loss
        started, losses = time.monotonic() - state.seconds, []
        kept = time.monotonic()
        for step, batch in enumerate((b for epoch in per_epoch for b in epoch), start=1):
            if step <= state.step or state.unimproved >= settings.patience:
                continue
            losses.append(self.step(batch, step, total))
            state.step, state.tokens = step, state.tokens + sum(len(e.ids) for e in batch)
            if step % interval == 0 or step == total:
                held = self.loss(held_out)
                state.seconds = time.monotonic() - started
                loss = sum(losses) / len(losses)  # shorter than the interval at the end, or after a crash
                self._judge(state, loss, held)
                progress(step, total, loss, held)
                losses = []
            elif time.monotonic() - kept > SNAPSHOT_S:
                state.seconds, kept = time.monotonic() - started, time.monotonic()
                snapshot(self.folder, self.model, self.optimizer, state)
        return LoraResult(
            folder=self.folder, steps=state.step, best_step=state.best_step, best_loss=state.best_loss,
            first_loss=state.first_loss, tokens=state.tokens, seconds=state.seconds, device=self.device,
            mixed=self.mixed,
        )  # fmt: skip

    def _judge(self, state: TrainingState, loss: float, held: float) -> None:
        """Keep the adapter if it is the best so far, log, and leave a state to go on from."""
        if held < state.best_loss:
            state.best_loss, state.best_step, state.unimproved = held, state.step, 0
            from peft.utils import SAFETENSORS_WEIGHTS_NAME

            self.model.save_pretrained(self.folder, save_embedding_layers=False)  # "auto" would ask the hub
            halve(self.folder / SAFETENSORS_WEIGHTS_NAME)
        else:
            state.unimproved += 1
        line = {"step": state.step, "loss": loss, "held_out": held, "tokens": state.tokens, "s": state.seconds}
        with (self.folder / LOG_FILE).open("a", encoding="utf-8") as log:
            log.write(json.dumps(line) + "\n")
        snapshot(self.folder, self.model, self.optimizer, state)

    def step(self, batch: list[Encoded], number: int, total: int) -> float:
        """One optimiser step; the mean loss per answer token."""
        self.model.train()
        for group in self.optimizer.param_groups:
            group["lr"] = self.settings.lr * _schedule(number / total, self.settings.warmup_share)
        loss = self._summed(batch) / max(1, sum(e.answers for e in batch))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.trained, 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return float(loss.detach())

    @torch.no_grad()
    def loss(self, held_out: list[Encoded]) -> float:
        """Mean loss per answer token."""
        self.model.eval()
        parts = batches(held_out, self.settings.batch_tokens, 0)
        return sum(float(self._summed(part)) for part in parts) / sum(e.answers for e in held_out)

    def _summed(self, batch: list[Encoded]) -> torch.Tensor:
        width = max(len(e.ids) for e in batch)
        pad = self.tokenizer.pad_token_id or 0
        ids = torch.tensor([[*e.ids, *[pad] * (width - len(e.ids))] for e in batch], device=self.device)
        mask = torch.tensor([[1] * len(e.ids) + [0] * (width - len(e.ids)) for e in batch], device=self.device)
        labels = torch.tensor([[*e.labels, *[IGNORED] * (width - len(e.labels))] for e in batch], device=self.device)
        wanted = labels[:, 1:]
        known = wanted != IGNORED
        with torch.autocast(self.device, torch.bfloat16, enabled=self.mixed):
            logits = self._logits(ids, mask, known)
        return torch.nn.functional.cross_entropy(logits.float(), wanted[known], reduction="sum")

    def _logits(self, ids: torch.Tensor, mask: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
        """Of the tokens whose successor is `known` alone: the vocabulary is a large part of a small model's work."""
        causal = self.model.get_base_model()
        if not self.plain_head:
            places = known.any(dim=0).nonzero()[:, 0]
            logits = causal(input_ids=ids, attention_mask=mask, use_cache=False, logits_to_keep=places).logits
            return logits[known[:, places]]
        hidden = causal.base_model(input_ids=ids, attention_mask=mask, use_cache=False).last_hidden_state
        return causal.get_output_embeddings()(hidden[:, :-1][known])


def halve(file: Path) -> None:
    """Store an adapter's weights in float16: half the size. The figures of the shipped adapter are measured with it."""
    from safetensors.torch import load_file, save_file

    weights = {name: tensor.to(torch.float16).contiguous() for name, tensor in load_file(file).items()}
    fresh = file.with_name(f".{file.name}.new")  # not common.files: a bare GPU machine has nothing else of ours
    save_file(weights, fresh, metadata={"format": "pt"})
    fresh.replace(file)


@torch.no_grad()
def _plain_head(model: Any) -> bool:
    """Whether logits are the output layer's and nothing more, as in LLaMA; Gemma 2 caps them, Granite scales them."""
    model.eval()
    causal = model.get_base_model()
    ids = torch.arange(8, device=causal.device)[None]
    own = causal.get_output_embeddings()(causal.base_model(input_ids=ids).last_hidden_state)
    return torch.allclose(own, causal(input_ids=ids).logits, rtol=1e-2, atol=1e-2)


def _has_bfloat16(device: str) -> bool:
    if device == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    # Newer than the torch of some GPU machines.
    capabilities: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return bool(capabilities.get("avx512_bf16"))


def _schedule(share: float, warmup: float) -> float:
    """Factor of the peak learning rate after `share` of all steps."""
    if share < warmup:
        return share / warmup
    return 0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * (share - warmup) / (1 - warmup)))


def _device(asked: str) -> str:
    if asked != "auto":
        return asked
    return "cuda" if torch.cuda.is_available() else "cpu"
