"""Tables of how well requests are understood, and what becomes of them."""

from __future__ import annotations

from typing import Any

from blocks import read, table, text_table


def percent(share: dict[str, Any], *, bounds: bool = False) -> str:
    """A share of right answers as a percentage."""
    text = f"{100 * share['share']:.1f}"
    return f"{text} ({100 * share['interval'][0]:.1f} to {100 * share['interval'][1]:.1f})" if bounds else text


def understanding() -> str:
    """Request understanding by level."""
    results = [read(f"ru_test_{name}.json") for name in ("zero_shot", "base", "adapter_1494", "adapter")]
    kinds = ("classification", "detection", "segmentation", "keypoint")
    rows = []
    for level in ("item", "list", "key", "request", "valid parse"):
        found = [each["valid"] if level == "valid parse" else each["levels"][level] for each in results]
        base, shots, earlier, adapter = found
        by_task = [percent(adapter["tasks"][kind]) for kind in kinds]
        ends = [percent(each["all"], bounds=True) for each in (earlier, adapter)]
        rows.append([level, percent(base["all"]), percent(shots["all"]), *by_task, *ends])
    header = ["level", "base model", "base, 5 examples", *kinds, "adapter of 1,494 requests, all", "adapter, all"]
    return table(header, rows)


def second_test() -> str:
    """The second test set of request understanding, by level."""
    earlier, result = (
        {**stored["levels"], "valid parse": stored["valid"]}
        for stored in (read("ru_test_2_adapter_1494.json"), read("ru_test_2_adapter.json"))
    )
    kinds = ("classification", "detection", "segmentation", "keypoint")
    rows = [
        [
            level, *(percent(found["tasks"][kind]) for kind in kinds),
            *(percent(each["all"], bounds=True) for each in (earlier[level], found)),
        ]
        for level, found in result.items()
    ]  # fmt: skip
    return table(["level", *kinds, "adapter of 1,494 requests, all", "adapter, all"], rows)


def fields() -> str:
    """Request understanding by field, on both test sets."""
    first, second = (read(name)["fields"] for name in ("ru_test_adapter.json", "ru_test_2_adapter.json"))
    rows = [[name, *(cell for field in (first[name], second[name]) for cell in _field_cells(field))] for name in first]
    header = ["right, all requests", "right where the person says it"]
    return table(["field", *(f"{test}: {words}" for test in ("first set", "second") for words in header)], rows)


def _field_cells(field: dict[str, Any]) -> tuple[str, str]:
    stated = field["stated"]
    return percent(field["all"], bounds=True), f"{percent(stated)} of {stated['of']}"


def doubt_alarms() -> str:
    """Parses made by hand that are doubted."""
    sets = read("doubts.json")["alarms"]
    names = sorted({field for found in sets.values() for field in found["by field"]})
    rows = [
        [
            words, str(found["requests"]), f"{100 * found['doubted'] / found['requests']:.1f}",
            *(str(found["by field"].get(name, 0)) for name in names),
        ]
        for words, found in sets.items()
    ]  # fmt: skip
    return table(["set", "requests", "doubted, %", *names], rows)


def doubt_faults() -> str:
    """Faults that are found, by kind."""
    rows = [
        [kind, str(found["made"]), *(f"{100 * found[by] / found['made']:.0f}" for by in ("doubts", "checks", "either"))]
        for kind, found in read("doubts.json")["faults"].items()
    ]
    return table(["fault", "made", "doubted, %", "found by the older checks, %", "either, %"], rows)


def end_to_end() -> str:
    """One line per request."""
    stored = read("e2e_hpo_llama.json")
    rows = []
    for row in stored["rows"]:
        wrong = "; ".join(f"{m['field']}: {m['got']} for {m['expected']}" for m in row["mistakes"])
        quality = row["checks"][0]
        rows.append(
            [
                row["task"], ", ".join(name for name in row["classes"] if name != "background"),
                "yes" if row["understood"] else f"no ({wrong})",
                f"{quality['name']} {quality['wanted']}", quality["got"].split(" on ")[0],
                "yes" if row["met"] else "no", str(row["points"]), f"{row['seconds']:.0f}",
            ]
        )  # fmt: skip
    total = ["all", "", "", "", "", "", f"{stored['points']} of {2 * len(stored['rows'])}", ""]
    header = ["task", "classes of the model", "understood", "asked", "test score", "met", "points", "seconds"]
    return text_table(header, [*rows, total])
