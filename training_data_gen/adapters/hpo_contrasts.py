"""Pairs of questions that only their results tell apart: the same task and trials, other results, another answer.

The trials of a task show one response to the learning rate, which a model can learn by heart from the task's facts and
then need not read any result. Here the surrogate of the tasks (`hpo_guide`) gives the results, and its response is
moved along the learning rate, for the two questions of a pair by different factors. So both results and answers are
made up, by a surrogate of real trials; the data card counts them apart.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from searchers.context import StudyContext
from searchers.distance import is_near
from searchers.llm.answer_schema import format_answer, snap
from searchers.llm.prompt import Round, proposal_messages
from searchers.space import Configuration, FloatParameter, SearchSpace
from training_data_gen.adapters.examples import Example
from training_data_gen.adapters.hpo_guide import Guide
from training_data_gen.trials.records import RecordedTrial
from training_data_gen.trials.statistics import main_seed

#: The hyperparameter along which responses are moved.
_MOVED = "lr"
#: Draws for each pair that is wanted: some differ in nothing that a reader could see.
_TRIES = 6


@dataclass(frozen=True)
class ContrastSettings:
    """How contrasts are drawn.

    Attributes:
        pairs: of a bag, at most.
        rounds: shortest and longest history.
        octaves: standard deviation of the moves, in powers of two.
        apart: least distance between the two moves of a pair, in powers of two.
        near_best: fraction of a history's trials that differ from the bag's best one in the learning rate alone.
        spread: trials of a history have the learning rate of a recorded trial times up to two to this, either way.
        noise: standard deviation of the results, as a fraction of the range of the bag's results.
    """

    pairs: int = 16
    rounds: tuple[int, int] = (2, 6)
    octaves: float = 2.0
    apart: float = 1.5
    near_best: float = 0.5
    spread: float = 2.0
    noise: float = 0.01


def contrast_examples(
    recorded: Sequence[RecordedTrial], guide: Guide, settings: ContrastSettings | None = None, seed: int = 0
) -> list[Example]:
    """Two examples for each pair about one bag; none if its trials reached all the same.

    Args:
        recorded: of one bag, whose space has a learning rate.
        guide: has seen this bag and none that is held out.
        settings: None = the defaults.
        seed: of all draws, with the bag's name.
    """
    settings = settings or ContrastSettings()
    trials = main_seed(recorded)
    reached = [0.0 if trial.failed else trial.score for trial in trials]
    if max(reached) == min(reached):
        return []
    rng = random.Random(f"{seed}/contrasts/{trials[0].planned}")  # noqa: S311 - draws dialogues
    bag = _Bag(trials, guide, settings, rng, settings.noise * (max(reached) - min(reached)))
    made: list[Example] = []
    for _ in range(_TRIES * settings.pairs):
        made += bag.pair()
        if len(made) == 2 * settings.pairs:
            break
    return made


class _Bag:
    def __init__(
        self,
        trials: Sequence[RecordedTrial],
        guide: Guide,
        settings: ContrastSettings,
        rng: random.Random,
        noise: float,
    ) -> None:
        self._trials, self._guide, self._settings, self._rng, self._noise = trials, guide, settings, rng, noise
        self._space = SearchSpace(parameters=trials[0].parameters)
        self._best = max(trials, key=lambda trial: 0.0 if trial.failed else trial.score)
        self._rate = next(p for p in self._space.parameters if p.name == _MOVED and isinstance(p, FloatParameter))

    def pair(self) -> tuple[Example, ...]:
        """Two questions with their answers; empty where the draw tells them apart by nothing."""
        settings, rng = self._settings, self._rng
        moves = rng.gauss(0, settings.octaves), rng.gauss(0, settings.octaves)
        if abs(moves[0] - moves[1]) < settings.apart:
            return ()
        history = self._history(rng.randint(*settings.rounds))
        told = [self._results(history, move) for move in moves]
        if _place_of_best(told[0]) == _place_of_best(told[1]):
            return ()
        answers = [self._answer(history, move) for move in moves]
        if None in answers:
            return ()
        return tuple(
            self._example(history, scores, answer)
            for scores, answer in zip(told, answers, strict=True)
            if answer is not None
        )

    def _history(self, length: int) -> list[Configuration]:
        """Different configurations: recorded ones, with their learning rates spread."""
        found: list[Configuration] = []
        while len(found) < length:
            near = self._rng.random() < self._settings.near_best
            drawn = self._best if near else self._rng.choice(self._trials)
            config = snap(self._space, self._at(drawn.config, self._rng.uniform(-1, 1) * self._settings.spread))
            if not is_near(self._space, config, found):
                found.append(config)
        return found

    def _results(self, configs: Sequence[Configuration], move: float) -> list[float]:
        """What the moved response gives, with noise."""
        values = self._guide.values(self._trials[0].planned, [self._at(config, -move) for config in configs])
        return [max(0.0, min(1.0, value + self._rng.gauss(0, self._noise))) for value in values]

    def _answer(self, history: Sequence[Configuration], move: float) -> Configuration | None:
        """The best of the moved response, if it is new and better than the history without noise."""
        bag = self._trials[0].planned
        best = max(self._guide.values(bag, [self._at(config, -move) for config in history]))
        for config, value in self._guide.best(bag, self._space, self._rng):
            moved = snap(self._space, self._at(config, move))
            if value > best and not is_near(self._space, moved, history):
                return moved
        return None

    def _example(self, history: Sequence[Configuration], scores: Sequence[float], answer: Configuration) -> Example:
        trial = self._trials[0]
        rounds = [Round(config, score) for config, score in zip(history, scores, strict=True)]
        asked = proposal_messages(StudyContext(facts=dict(trial.context)), self._space, rounds, mode=trial.mode)
        return Example((*asked, {"role": "assistant", "content": format_answer(self._space, answer)}), trial.planned)

    def _at(self, config: Configuration, octaves: float) -> Configuration:
        """The configuration with its learning rate so many powers of two higher, within the bounds."""
        rate = float(config[_MOVED]) * 2**octaves
        return {**config, _MOVED: min(self._rate.high, max(self._rate.low, rate))}


def _place_of_best(scores: Sequence[float]) -> int:
    return max(range(len(scores)), key=scores.__getitem__)
