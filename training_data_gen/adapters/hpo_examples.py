"""What HPO-LLaMA learns from: dialogues about the bags of a trials file, held-out tasks never among them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from training_data_gen.adapters.examples import Example, TuningData, split_by_group
from training_data_gen.adapters.hpo_contrasts import ContrastSettings, contrast_examples
from training_data_gen.adapters.hpo_dialogues import DialogueSettings, dialogue_examples
from training_data_gen.adapters.hpo_guide import Guide
from training_data_gen.trials.records import RecordedTrial
from training_data_gen.trials.statistics import by_bag
from training_data_gen.trials.store import learnable

#: Fraction of the bags open to learning whose dialogues tell when to stop.
HELD_OUT_SHARE = 0.15
_FEWEST_BAGS = 2


def hpo_data(
    recorded: Sequence[RecordedTrial],
    *,
    per_bag: int = DialogueSettings.per_bag,
    without: Sequence[str] = (),
    guided: float = DialogueSettings.guided,
    contrasts: int = 0,
    seed: int = 0,
) -> TuningData:
    """Examples from all bags that may be learnt from; a bag's lie on one side of the split.

    Args:
        recorded: of a file or a folder, held-out tasks included.
        per_bag: most examples of a bag.
        without: data sets to leave out, for the leave-one-dataset-out split.
        guided: fraction of the answers that a surrogate of these bags gives instead of their trials.
        contrasts: most pairs of a bag that only their results tell apart (`hpo_contrasts`).
        seed: of the dialogues and of the split.

    Raises:
        ValueError: fewer than two bags give dialogues.
    """
    open_to_learning = learnable(recorded, without=without)
    bags = by_bag(open_to_learning)
    settings = DialogueSettings(per_bag=per_bag, guided=guided)
    guide = Guide(open_to_learning) if (guided or contrasts) and bags else None
    made: list[Example] = []
    in_pairs = 0
    for trials in bags.values():
        made += dialogue_examples(trials, settings, seed, guide if guided else None)
        if guide is not None and contrasts:
            pairs = contrast_examples(trials, guide, ContrastSettings(pairs=contrasts), seed)
            in_pairs += len(pairs)
            made += pairs
    groups = {example.group for example in made}
    if len(groups) < _FEWEST_BAGS:
        raise ValueError(
            f"{len(recorded)} trials of {len(bags)} bags that may be learnt from give dialogues about "
            f"{len(groups)} of them, needed are {_FEWEST_BAGS}; train more with: autommlab trials"
        )
    train, held_out = split_by_group(made, HELD_OUT_SHARE, seed)
    stopped_on = sorted({example.group for example in held_out})
    facts = {
        "recorded": sum(map(len, bags.values())),
        "bags": len(groups),
        "tasks": dict(sorted(Counter(trials[0].task.value for trials in bags.values()).items())),
        "training dialogues": len(train),
        "held-out dialogues": len(held_out),
        "bags that tell when to stop": stopped_on,
        "data sets left out": sorted(without),
        "fraction of answers by a surrogate": guided,
        "contrasts, results and answers by a surrogate": in_pairs,
        "data seed": seed,
    }
    return TuningData(train, held_out, facts)
