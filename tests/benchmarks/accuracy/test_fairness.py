"""Groups of people are compared, and told to be worse where they surely are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from benchmarks.accuracy.coverage import Counted
from benchmarks.accuracy.error_card import error_card
from benchmarks.accuracy.evaluation import PLAIN, Evaluated
from benchmarks.accuracy.fairness import TRAITS, fairness_rows, groups_of
from benchmarks.accuracy.measures import MEASURES
from benchmarks.accuracy.summary import coverage_rows, measure_rows


def rows_of(errors: dict[str, float], clips: int = 20, way: str = "mediapipe") -> list[Evaluated]:
    """Clips of people by skin, whose wrists are off by about so much."""
    generator = np.random.default_rng(2)
    return [
        Evaluated(
            seed,
            0,
            way,
            "desk",
            "clapping",
            {**dict.fromkeys(TRAITS, "one"), "skin": skin},
            dict.fromkeys((measure.name for measure in MEASURES), float(error * generator.uniform(0.8, 1.2))),
            [Counted("grip", "", "1 to 2 m", 9, 10)],
        )
        for skin, error in errors.items()
        for seed in range(clips)
    ]


def test_a_group_that_is_twice_as_badly_off_is_told() -> None:
    light, dark = groups_of(rows_of({"1": 0.05, "6": 0.1}), "skin")
    assert (light.ratio, light.surely_worse) == (1.0, False)
    assert 1.7 < dark.ratio < 2.3 and dark.surely_worse
    assert dark.low < dark.median < dark.high and light.high < dark.low
    verdicts = [row[-1] for row in fairness_rows(rows_of({"1": 0.05, "6": 0.1}), ["skin"])]
    assert verdicts == ["", "worse, over 1.3"]


def test_groups_that_are_equal_or_too_few_are_not_told_to_be_worse() -> None:
    assert not any(group.surely_worse for group in groups_of(rows_of({"1": 0.05, "3": 0.05, "6": 0.05}), "skin"))
    few = groups_of(rows_of({"1": 0.05, "6": 0.1}, clips=4), "skin")
    assert few[1].ratio > 1.5 and not few[1].surely_worse
    assert len(groups_of(rows_of({"1": 0.05}), "age")) == 1
    nothing = [replace(row, errors={**row.errors, "wrist_scaled": float("nan")}) for row in rows_of({"1": 0.1})]
    assert groups_of(nothing, "skin") == []


def test_the_table_has_a_row_a_measure_and_the_plain_loop_first() -> None:
    rows = [*rows_of({"1": 0.05}), *rows_of({"1": 0.2}, way=PLAIN)]
    table = measure_rows(rows)
    assert len(table) == len(MEASURES) and {len(row) for row in table} == {7}
    plain, ours = float(table[0][1]), float(table[0][4])
    assert 0.16 < plain < 0.24 and 0.04 < ours < 0.06
    (found,) = [row for row in table if row[0].startswith("hands found")]
    assert float(found[3]) <= plain + 1
    assert coverage_rows(rows, "mediapipe") == [("grip", "", "90%", "90%")]
    assert coverage_rows(rows, "another") == []


def test_an_error_card_is_a_page_of_markdown() -> None:
    rows = [*rows_of({"1": 0.05, "6": 0.1}), *rows_of({"1": 0.2, "6": 0.2}, way=PLAIN)]
    card = error_card(rows, "mediapipe", "MediaPipe, revision 6", "0..19")
    assert card.startswith("# Error card: mediapipe\n\nMediaPipe, revision 6")
    assert "| skin | 6 | 20 |" in card and "| grip |  | 90% | 90% |" in card
    tables = [line for line in card.splitlines() if line.startswith("|")]
    assert all(line.endswith("|") for line in tables)
    silent = [replace(row, coverage=[]) for row in rows]
    assert "It states no uncertainty." in error_card(silent, "mediapipe", "", "0..19")
