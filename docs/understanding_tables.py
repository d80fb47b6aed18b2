"""Tables of how well requests are understood, and what becomes of them."""

from __future__ import annotations

from typing import Any

from blocks import read, table, text_table

#: Requests that earlier adapters had learnt from.
_EARLIER = ("1,494", "3,662")
_KINDS = ("classification", "detection", "segmentation", "keypoint")
_VALID = "valid parse"
_LEVELS = ("item", "list", "key", "request", _VALID)


def percent(share: dict[str, Any], *, bounds: bool = False) -> str:
    """A share of right answers as a percentage."""
    text = f"{100 * share['share']:.1f}"
    return f"{text} ({100 * share['interval'][0]:.1f} to {100 * share['interval'][1]:.1f})" if bounds else text


def understanding() -> str:
    """Request understanding by level."""
    base, shots = read("ru_test_zero_shot.json"), read("ru_test_base.json")
    adapters = _adapters("ru_test_adapter")
    rows = [
        [level, *(percent(_at(level, each)["all"]) for each in (base, shots)), *cells]
        for level, cells in _by_level(adapters).items()
    ]
    return table(["level", "base model", "base, 5 examples", *_heads(adapters)], rows)


def second_test() -> str:
    """The second test set of request understanding, by level."""
    adapters = _adapters("ru_test_2_adapter")
    return table(["level", *_heads(adapters)], [[level, *cells] for level, cells in _by_level(adapters).items()])


def _adapters(name: str) -> dict[str, dict[str, Any]]:
    """How many requests an adapter has learnt from -> its result; the shipped one is the last, "".

    Args:
        name: of its result, without the ending.
    """
    return {**{of: read(f"{name}_{of.replace(',', '')}.json") for of in _EARLIER}, "": read(f"{name}.json")}


def _heads(adapters: dict[str, dict[str, Any]]) -> list[str]:
    return [*_KINDS, *(f"adapter of {of} requests, all" if of else "adapter, all" for of in adapters)]


def _by_level(adapters: dict[str, dict[str, Any]]) -> dict[str, list[str]]:
    """Level -> the shipped adapter by task, then all adapters over all tasks."""
    return {
        level: [
            *(percent(_at(level, adapters[""])["tasks"][kind]) for kind in _KINDS),
            *(percent(_at(level, each)["all"], bounds=True) for each in adapters.values()),
        ]
        for level in _LEVELS
    }


def _at(level: str, result: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = result["valid"] if level == _VALID else result["levels"][level]
    return found


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
