"""The tables of `docs/registered.md`, from the registration itself, and those of its results, once there are any."""

from __future__ import annotations

from typing import Any

from blocks import RESULTS, read, table, text_table

_TRACKS = {"trials": "equal trials", "seconds": "equal seconds"}


def tasks() -> str:
    """The 40 tasks, in the order of work."""
    from training_data_gen.benchmarks.registered.tasks import TASKS

    rows = []
    for task in TASKS:
        classes = ", ".join(task.classes) or "all"
        parts = [f"{task.cut.half} half" if task.cut.half else ""]
        parts += [f"photos {task.cut.share[0] + 1} of {task.cut.share[1]}" if task.cut.share else "", task.cut.labels]
        part = ", ".join(filter(None, parts)) or ("" if task.is_real else f"seed {task.version}")
        shape = task.shape
        size = f"{shape.input_size[0]} px, {shape.iterations} x {shape.batch_size}"
        kind = "photos" if task.is_real else "drawn"
        rows.append([f"`{task.id}`", task.task.value, kind, task.source, classes, part, task.backbone, size])
    head = ["task", "kind", "pictures", "source", "classes", "part or seed", "backbone", "size, iterations x batch"]
    return text_table(head, rows)


def arms() -> str:
    """The arms, core ones first."""
    from training_data_gen.benchmarks.registered.arms import ARMS

    rows = [
        [
            f"`{arm.name}`",
            f"`{arm.searcher}`",
            ", ".join(f"`{name}={value}`" for name, value in arm.options.items()),
            "core" if arm.is_core else "more",
            "yes" if arm.asks_llm else "no",
        ]
        for arm in ARMS
    ]
    return text_table(["arm", "searcher", "options", "tier", "LLM"], rows)


def questions() -> str:
    """What is asked."""
    from training_data_gen.benchmarks.registered.questions import QUESTIONS

    rows = [[str(n), f"{one} against {other}", str(after)] for n, (one, other, after) in enumerate(QUESTIONS, start=1)]
    return text_table(["number", "difference on TEST", "trials"], rows)


def results() -> str:
    """The results of both tracks; one sentence where there are none."""
    found = []
    for track, title in _TRACKS.items():
        name = f"registered-{track}.json"
        if (RESULTS / name).exists():
            found.append(_result(read(name), title))
    return "\n\n".join(found) or "The comparison has not come to its end yet: no answer is known."


def _result(result: dict[str, Any], title: str) -> str:
    tasks = ", ".join(f"{count} {kind}" for kind, count in result["tasks"].items())
    texts = [f"**By {title}** ({tasks}; {result['seeds']} seed(s); {result['date']}, `{result['command']}`):"]
    head = ["arm", "after", "test", "validation", "gap closed", "mean rank", "training s", "LLM s", "LLM tokens",
            "fallbacks", "failed"]  # fmt: skip
    rows = [
        [
            f"`{line['arm']}`", str(line["after"]), _estimate(line["test"]), f"{line['val']['mean']:.3f}",
            _estimate(line["gap"], "+") if line["gap"] else "", f"{line['rank']:.2f}", f"{line['seconds']:.0f}",
            f"{line['llm_seconds']:.0f}", f"{line['llm_tokens']:.0f}", f"{line['fallbacks']:.0%}",
            f"{line['failed']:.0%}",
        ]
        for line in result["lines"]
    ]  # fmt: skip
    texts.append(table(head, rows))
    answered = [answer for answer in result["answers"] if answer["difference"]]
    if answered:
        head = ["question", "after", "tasks", "difference on test", "photos of a set drawn together", "p (Holm)",
                "better, equal, worse", "answer"]  # fmt: skip
        texts.append(table(head, [_answer(answer) for answer in answered]))
    if result["missing"]:
        texts.append("Tasks that could not be had: " + "; ".join(f"`{n}` ({w})" for n, w in result["missing"].items()))
    return "\n\n".join(texts)


def _answer(stored: dict[str, Any]) -> list[str]:
    from training_data_gen.benchmarks.registered.records import Answer
    from training_data_gen.benchmarks.registered.tasks import TASKS

    answer = Answer.model_validate(stored)
    counts = f"{answer.better}, {answer.equal}, {answer.worse}"
    return [
        f"{answer.one} against {answer.other}", str(answer.after), f"{answer.tasks} of {len(TASKS)}",
        _estimate(stored["difference"], "+"), _estimate(stored["by_source"], "+") if answer.by_source else "",
        f"{answer.adjusted:.3f}", counts, answer.verdict,
    ]  # fmt: skip


def _estimate(figure: dict[str, float], sign: str = "") -> str:
    return f"{figure['mean']:{sign}.3f} ({figure['low']:{sign}.3f} to {figure['high']:{sign}.3f})"
