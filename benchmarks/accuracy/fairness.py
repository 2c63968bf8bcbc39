"""Who gets what: wrist errors by group of people, with intervals, and how far each group is from the best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.accuracy.evaluation import Evaluated

Row = tuple[str, ...]
TRAITS = ("skin", "age", "sex", "build", "handedness", "sleeves")
MOST = 1.3
"""Times the best group's error that no group's should exceed."""
DRAWS = 2000
FEWEST = 5
"""Clips of which an interval says something."""


@dataclass(frozen=True)
class Group:
    """What people of one group get."""

    trait: str
    name: str
    clips: int
    median: float
    """Of the clips' errors."""
    low: float
    high: float
    """Of the 90 % interval of the median, by drawing clips again and again."""
    ratio: float
    """Of the median to that of the trait's best group."""
    surely_worse: bool
    """Whether 95 of 100 draws of it and the best say that it is worse, where both have at least FEWEST clips."""


def groups_of(rows: Sequence[Evaluated], trait: str, measure: str = "wrist_scaled", seed: int = 0) -> list[Group]:
    """Compare the groups of one trait.

    Args:
        rows: of one way; one a clip.
        trait: one of `TRAITS`.
        measure: whose values are compared.
        seed: of the draws.

    Returns:
        The groups, by name.
    """
    values: dict[str, list[float]] = {}
    for row in rows:
        if np.isfinite(row.errors[measure]):
            values.setdefault(row.traits[trait], []).append(row.errors[measure])
    generator = np.random.default_rng(seed)
    medians = {name: float(np.median(own)) for name, own in values.items()}
    drawn = {
        name: np.median(generator.choice(np.array(own), (DRAWS, len(own))), axis=1)
        for name, own in sorted(values.items())
    }
    if not medians:
        return []
    best = min(medians, key=medians.__getitem__)
    found = []
    for name in sorted(values):
        low, high = (float(edge) for edge in np.quantile(drawn[name], (0.05, 0.95)))
        ratio, worse = medians[name] / medians[best], bool((drawn[name] > drawn[best]).mean() >= 0.95)
        worse &= min(len(values[name]), len(values[best])) >= FEWEST
        found.append(Group(trait, name, len(values[name]), medians[name], low, high, ratio, worse))
    return found


def fairness_rows(rows: Sequence[Evaluated], traits: Sequence[str], measure: str = "wrist_scaled") -> list[Row]:
    """A row a group, as cells: trait, group, clips, median, interval, ratio to the best, and whether it is worse.

    Args:
        rows: of one way; one a clip.
        traits: which to compare by.
        measure: whose values are compared.

    Returns:
        The cells; COLUMNS has their headings.
    """
    found: list[Row] = []
    for trait in traits:
        for group in groups_of(rows, trait, measure):
            verdict = "worse" if group.surely_worse and group.ratio > 1 else ""
            if verdict and group.ratio > MOST:
                verdict = f"worse, over {MOST}"
            numbers = f"{group.median:.3f}", f"{group.low:.3f} to {group.high:.3f}", f"{group.ratio:.2f}"
            found.append((trait, group.name, str(group.clips), *numbers, verdict))
    return found


COLUMNS = ("", "group", "clips", "median, m", "90 % interval", "times the best", "")
