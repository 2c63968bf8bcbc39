"""Tables over clips: each measure's middle and its spread, for every way; and coverage."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np

from benchmarks.accuracy.evaluation import PLAIN, Evaluated
from benchmarks.accuracy.measures import MEASURES, Measure

Row = tuple[str, ...]


def ways_of(rows: Sequence[Evaluated]) -> list[str]:
    """The ways that were evaluated, the plain loop first."""
    return sorted({row.way for row in rows}, key=lambda way: (way != PLAIN, way))


def measure_rows(rows: Sequence[Evaluated]) -> list[Row]:
    """A row a measure: for every way the median over clips, from the lower to the upper quartile, and the worst clip.

    Args:
        rows: what was evaluated.

    Returns:
        Cells: the measure and its unit, then three for every way.
    """
    found = []
    for measure in MEASURES:
        cells = [f"{measure.title}, {measure.unit}"]
        for way in ways_of(rows):
            cells += spread(measure, (row.errors.get(measure.name, float("nan")) for row in rows if row.way == way))
        found.append(tuple(cells))
    return found


def measure_columns(rows: Sequence[Evaluated]) -> list[str]:
    """Headings for `measure_rows`."""
    return ["", *(f"{way}: {what}" for way in ways_of(rows) for what in ("median", "quartiles", "worst"))]


def spread(measure: Measure, values: Iterable[float]) -> list[str]:
    """The median of clips' values, their quartiles, and the worst.

    Args:
        measure: what they are.
        values: one a clip; NaN where there was nothing to measure.

    Returns:
        Three cells; empty without values.
    """
    there = np.array([value for value in values if np.isfinite(value)])
    if not len(there):
        return ["", "", ""]
    low, middle, high = np.quantile(there, (0.25, 0.5, 0.75))
    worst = there.max() if measure.less_is_better else there.min()
    digits = measure.digits
    return [f"{middle:.{digits}f}", f"{low:.{digits}f} to {high:.{digits}f}", f"{worst:.{digits}f}"]


def framing_rows(rows: Sequence[Evaluated], names: Sequence[str]) -> list[Row]:
    """A row a framing and motion: for every way the medians of a few measures.

    Args:
        rows: what was evaluated.
        names: of the measures.

    Returns:
        Cells: framing or motion, number of clips, then one for every measure and way.
    """
    found = []
    for what in ("framing", "motion"):
        for kind in sorted({getattr(row, what) for row in rows}):
            own = [row for row in rows if getattr(row, what) == kind]
            cells = [kind, str(len(own) // max(len(ways_of(own)), 1))]
            for measure in (measure for measure in MEASURES if measure.name in names):
                for way in ways_of(rows):
                    cells.append(spread(measure, (row.errors[measure.name] for row in own if row.way == way))[0])
            found.append(tuple(cells))
    return found


def coverage_rows(rows: Sequence[Evaluated], way: str) -> list[Row]:
    """A row an array and group of landmarks: how many of 90 % intervals hold the truth, in all and by distance.

    Args:
        rows: what was evaluated.
        way: whose intervals.

    Returns:
        Cells: array, group, share in all, then one for every distance in the order of `coverage_columns`; none where
        the way states no uncertainty.
    """
    held: dict[tuple[str, str, str], int] = defaultdict(int)
    stated: dict[tuple[str, str, str], int] = defaultdict(int)
    for row in rows:
        for count in row.coverage if row.way == way else []:
            for distance in (count.distance, ""):
                held[count.array, count.group, distance] += count.held
                stated[count.array, count.group, distance] += count.stated
    groups = dict.fromkeys((array, group) for array, group, _ in stated)
    distances = coverage_columns(rows)[2:]
    found = []
    for array, group in groups:
        keys = [(array, group, distance if distance != "in all" else "") for distance in distances]
        shares = [f"{held[key] / stated[key]:.0%}" if stated[key] else "" for key in keys]
        found.append((array, group, *shares))
    return found


def coverage_columns(rows: Sequence[Evaluated]) -> list[str]:
    """Headings for `coverage_rows`."""
    distances = sorted({count.distance for row in rows for count in row.coverage})
    return ["array", "group", "in all", *distances]
