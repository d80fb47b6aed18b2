"""Writes every table of results into the README and the documentation, from the committed JSON alone.

`python docs/render_results.py` writes the blocks, `--check` only says whether one is stale.
"""

from __future__ import annotations

from collections.abc import Callable

import cost_tables
import registered_tables
import searcher_tables
import timed_tables
import understanding_tables
from blocks import main, read, text_table
from searcher_tables import GRID, LLM_GRID, after, interval, label
from understanding_tables import percent


def headline() -> str:
    """The README's table."""
    ru, e2e = read("ru_test_adapter.json"), read("e2e_hpo_llama.json")
    again = read("ru_test_2_adapter.json")
    understood = [percent(each["levels"]["request"]["all"], bounds=True) for each in (again, ru)]
    rows = [
        [
            "Requests understood in every field, of 160 unseen and 140 older ones",
            " and ".join(understood) + " %",
        ],
        [f"{len(e2e['rows'])} requests to deployed models", f"{e2e['points']} of {2 * len(e2e['rows'])} points"],
    ]
    for count in (1, 3):
        difference = after("hpo-llama", count) - after(GRID, count)
        low, high = interval(difference)
        text = f"{difference.mean():+.3f} ({low:+.3f} to {high:+.3f})"
        rows.append([f"`hpo-llama` minus `{GRID}` after {count}", text])
    kinds = {"hpo-llama": " (the LLM)", LLM_GRID: " (the LLM among others)"}
    scores = [
        [
            f"{label(name)}{kinds.get(name, '')}",
            *(f"{after(name, n).mean():.3f}" if after(name, n).size else "" for n in (1, 3, 10)),
        ]
        for name in ("hpo-llama", LLM_GRID, GRID, "zero-shot", "default", "tpe+default", "tpe")
    ]
    by_trials = text_table(["score after trials", "1", "3", "10"], scores)
    return f"{text_table(['what', 'figure'], rows)}\n\n{by_trials}"


WRITERS: dict[str, Callable[[], str]] = {
    "quantize": cost_tables.quantize,
    "data-costs": cost_tables.data_costs,
    "serve-model": cost_tables.serve_model,
    "zoo-check": cost_tables.zoo_check,
    "headline": headline,
    "searcher-scores": searcher_tables.searcher_scores,
    "searcher-contrasts": searcher_tables.contrasts,
    "searcher-by-task": searcher_tables.by_task,
    "llm-cost": searcher_tables.llm_cost,
    "hours": searcher_tables.hours,
    "understanding": understanding_tables.understanding,
    "understanding-second-test": understanding_tables.second_test,
    "understanding-fields": understanding_tables.fields,
    "doubt-alarms": understanding_tables.doubt_alarms,
    "doubt-faults": understanding_tables.doubt_faults,
    "end-to-end": understanding_tables.end_to_end,
    "registered-results": registered_tables.results,
    "timed": timed_tables.timed,
}

if __name__ == "__main__":
    main(WRITERS)
