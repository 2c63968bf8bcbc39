"""An extractor's error card: what it finds how well, on one page of Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.accuracy import fairness
from benchmarks.accuracy.evaluation import Evaluated
from benchmarks.accuracy.summary import (
    coverage_columns,
    coverage_rows,
    framing_rows,
    measure_columns,
    measure_rows,
    ways_of,
)

BY_FRAMING = ("wrist", "wrist_scaled", "body", "hands_found")
"""Measures that are also told by framing and motion."""


def error_card(rows: Sequence[Evaluated], extractor: str, identity: str, seeds: str) -> str:
    """The page.

    Args:
        rows: what was evaluated, the plain loop's rows among it.
        extractor: whose card it is.
        identity: what it consists of.
        seeds: of the scenes.

    Returns:
        Markdown.
    """
    clips = len({(row.seed, row.camera) for row in rows})
    parts = [
        f"# Error card: {extractor}",
        f"{identity}\n\nRendered people, seeds {seeds} ({clips} clips), by `python -m benchmarks.accuracy`; the "
        "median of clips, their quartiles, and the worst clip. What the rows mean: docs/measurements/accuracy.md.",
        table(measure_columns(rows), measure_rows(rows)),
        "## By framing and motion",
        table(framing_columns(rows), framing_rows(rows, BY_FRAMING)),
    ]
    covered = coverage_rows(rows, extractor)
    parts.append("## Intervals of 90 %: how many hold the truth")
    parts.append(table(coverage_columns(rows), covered) if covered else "It states no uncertainty.")
    people = fairness.fairness_rows([row for row in rows if row.way == extractor], fairness.TRAITS)
    parts += ["## By people: wrist after the best scale", table(fairness.COLUMNS, people)]
    return "\n\n".join(parts) + "\n"


def framing_columns(rows: Sequence[Evaluated]) -> list[str]:
    """Headings for `summary.framing_rows` of `BY_FRAMING`."""
    return ["", "clips", *(f"{name}, {way}" for name in BY_FRAMING for way in ways_of(rows))]


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown.

    Args:
        columns: headings.
        rows: cells.

    Returns:
        Its lines.
    """
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(cell.strip() for cell in line)} |" for line in lines)
