"""Trials as rounds of the HPO dialogue: what is known of a bag so far, and a better configuration as the answer.

The paper (arXiv 2402.15351, section 3.4) makes dialogues of one to three rounds out of a request's trials.
Here a round is one self-contained question, as the searcher asks it (`searchers.llm.prompt`), so a
dialogue of any length is so many examples, and histories are drawn instead of being always the same.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from searchers.context import Fact, StudyContext
from searchers.distance import is_near
from searchers.llm.answer_schema import format_answer, grid
from searchers.llm.prompt import Round, proposal_messages
from searchers.space import ChoiceParameter, Configuration, Parameter, SearchSpace
from training_data_gen.adapters.examples import Example
from training_data_gen.adapters.hpo_guide import Guide
from training_data_gen.trials.records import RecordedTrial
from training_data_gen.trials.statistics import main_seed

#: Facts that name things. They are left out of some questions: other data and models will have other names.
_NAMES = ("model", "dataset")
#: Draws for each example that is wanted; some histories leave nothing better.
_TRIES = 4


@dataclass(frozen=True)
class DialogueSettings:
    """How a bag's trials become questions with answers.

    Attributes:
        per_bag: examples of a bag, at most.
        rounds: length of the history -> how often, in any unit.
        targets: the answer is the best configuration that is left, the second best, ... so often, in any unit.
        narrowed: fraction of the questions whose bounds are a part of the bag's own.
        least_trials: a narrowed space still holds so many of the bag's trials.
        nameless: fraction of the questions without the names of model and data set.
        running: fraction of the histories whose last trial has no result yet.
        gain: an answer is at least so much better than the history, as a normalised score.
        guided: fraction of the questions that a `Guide` answers instead of the bag's trials, where there is one.
    """

    per_bag: int = 32
    rounds: tuple[tuple[int, int], ...] = ((0, 6), (1, 3), (2, 3), (3, 2), (4, 1), (6, 1), (9, 1), (14, 1))
    targets: tuple[int, ...] = (6, 3, 1)
    narrowed: float = 0.5
    least_trials: int = 8
    nameless: float = 0.3
    running: float = 0.15
    gain: float = 0.02
    guided: float = 0.7


def dialogue_examples(
    recorded: Sequence[RecordedTrial],
    settings: DialogueSettings | None = None,
    seed: int = 0,
    guide: Guide | None = None,
) -> list[Example]:
    """Examples of one bag, without repetition; none if its trials reached all the same.

    Args:
        recorded: of one bag; those of its main seed are used, repeats under other seeds are noise.
        settings: None = the defaults.
        seed: of all draws, with the bag's name.
        guide: knows better answers than the trials; it must have seen this bag.
    """
    settings = settings or DialogueSettings()
    trials = main_seed(recorded)
    scores = [t.score for t in trials if not t.failed]
    if not scores or max(scores) == min(t.score for t in trials):
        return []
    rng = random.Random(f"{seed}/{trials[0].planned}")  # noqa: S311 - draws dialogues, not secrets
    bag = _Bag(trials, settings, rng, guide)
    made: dict[tuple[str, ...], Example] = {}
    for _ in range(_TRIES * settings.per_bag):
        example = bag.draw()
        if example is not None:
            made[tuple(message["content"] for message in example.messages)] = example
        if len(made) == settings.per_bag:
            break
    return list(made.values())


class _Bag:
    def __init__(
        self, trials: Sequence[RecordedTrial], settings: DialogueSettings, rng: random.Random, guide: Guide | None
    ) -> None:
        self._trials, self._settings, self._rng, self._guide = trials, settings, rng, guide
        self._space = SearchSpace(parameters=trials[0].parameters)
        reached = [0.0 if t.failed else t.score for t in trials]
        self._gain = settings.gain * (max(reached) - min(reached))

    def draw(self) -> Example | None:
        """A question with its answer; None if the drawn history leaves nothing better."""
        rng, settings = self._rng, self._settings
        space, trials = self._space, list(self._trials)
        if rng.random() < settings.narrowed:
            space, trials = self._narrowed()
        lengths, weights = zip(*settings.rounds, strict=True)
        length = min(rng.choices(lengths, weights)[0], len(trials) - 1)
        history = rng.sample(trials, length)
        if self._guide is not None and rng.random() < settings.guided:
            target = self._guided(self._guide, space, history)
        else:
            target = self._better([t for t in trials if t not in history], history)
        if target is None:
            return None
        rounds = [_round(t) for t in history]
        if rounds and rng.random() < settings.running:
            rounds[-1] = Round(rounds[-1].config)
        asked = proposal_messages(self._context(), space, rounds, mode=self._trials[0].mode)
        answer = {"role": "assistant", "content": format_answer(space, target)}
        return Example((*asked, answer), self._trials[0].planned)

    def _guided(self, guide: Guide, space: SearchSpace, history: Sequence[RecordedTrial]) -> Configuration | None:
        """One of the guide's best configurations that is new, if it expects more of it than of all that was tried."""
        bag, tried = self._trials[0].planned, [t.config for t in history]
        floor = max(guide.values(bag, tried), default=float("-inf")) + self._gain
        best = [
            config
            for config, value in guide.best(bag, space, self._rng)
            if value > floor and not is_near(space, config, tried)
        ]
        best = best[: len(self._settings.targets)]
        return self._rng.choices(best, self._settings.targets[: len(best)])[0] if best else None

    def _better(self, left: Sequence[RecordedTrial], history: Sequence[RecordedTrial]) -> Configuration | None:
        """One of the best configurations that are left, if it is better than all of the history by the least gain."""
        known = [t.score for t in history if not t.failed]
        floor = max(known) + self._gain if known else float("-inf")
        ranked = sorted((t for t in left if not t.failed and t.score > floor), key=lambda t: -t.score)
        ranked = ranked[: len(self._settings.targets)]
        return self._rng.choices(ranked, self._settings.targets[: len(ranked)])[0].config if ranked else None

    def _narrowed(self) -> tuple[SearchSpace, list[RecordedTrial]]:
        """A part of the space and the trials in it; the whole if too few would be left."""
        parameters = tuple(_cut(p, self._rng) for p in self._space.parameters)
        space = SearchSpace(parameters=parameters)
        inside = [t for t in self._trials if t.config in space]
        if len(inside) < self._settings.least_trials or all(t.failed for t in inside):
            return self._space, list(self._trials)
        return space, inside

    def _context(self) -> StudyContext:
        facts: dict[str, Fact] = dict(self._trials[0].context)
        if self._rng.random() < self._settings.nameless:
            facts = {name: value for name, value in facts.items() if name not in _NAMES}
        return StudyContext(facts=facts)


def _round(trial: RecordedTrial) -> Round:
    if trial.failed:
        return Round(trial.config, failure=trial.reason or trial.status)
    return Round(trial.config, trial.score)


def _cut(parameter: Parameter, rng: random.Random) -> Parameter:
    """Often the same; else up to a third of the range less at one end, or one choice less."""
    if rng.random() < 0.5:
        return parameter
    if isinstance(parameter, ChoiceParameter):
        if len(parameter.choices) < 3:
            return parameter
        gone = rng.choice(parameter.choices)
        return parameter.model_copy(update={"choices": tuple(c for c in parameter.choices if c != gone)})
    steps = grid(parameter)
    drop = rng.randrange(len(steps) // 3 + 1)
    if rng.random() < 0.5:
        return parameter.model_copy(update={"low": steps[drop]})
    return parameter.model_copy(update={"high": steps[-1 - drop]})
