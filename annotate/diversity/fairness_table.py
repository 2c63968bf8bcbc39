"""What each group gets, as tables and sentences for the command and the dashboard."""

from __future__ import annotations

from collections.abc import Iterator

from annotate.diversity.group_fairness import (
    COVERED,
    FEWEST_PEOPLE,
    LEAST_DIFFERENCE,
    MEASURES,
    MOST_RATIO,
    AttributeFairness,
    FairnessReport,
    GroupFairness,
    GroupNumber,
    Measure,
    in_words,
)

HEADINGS = ("people", "hours", *(measure.heading for measure in MEASURES.values()))
"""Of the cells of a row, after the group's name."""


def fairness_rows(found: AttributeFairness, report: FairnessReport) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The groups of an attribute line by line.

    Args:
        found: the attribute.
        report: of which it is.

    Yields:
        The group's name, and its cells, which `HEADINGS` names.
    """
    for group in found.groups:
        yield group.name, _cells(group, report)


def fairness_sentences(found: AttributeFairness) -> list[str]:
    """What the numbers of an attribute say.

    Args:
        found: the attribute.

    Returns:
        A sentence for each group and measure that is clearly worse, or one that says why there is none.
    """
    if found.worse:
        return [one.sentence for one in found.worse]
    if found.compared < 2:
        return [
            f"Groups of {found.by} cannot be compared: fewer than two of them have {FEWEST_PEOPLE} people to measure."
        ]
    return [f"No group of {found.by} gets clearly less than the best."]


def how_measured(report: FairnessReport) -> str:
    """What was looked at, and what "clearly less" means.

    Args:
        report: what each group gets.

    Returns:
        Sentences.
    """
    looked = (
        f"all {report.recordings:,} recordings"
        if report.recordings == report.recordings_in_all
        else f"{report.recordings:,} of {report.recordings_in_all:,} recordings, drawn with a fixed seed"
    )
    said = (
        f"From {report.frames:,} frames of {looked}. Every person counts once; in brackets, {COVERED:.0%} intervals "
        f"over people. Clearly less is: worse than the best group by more than {MOST_RATIO} times (of shares also by "
        f"more than {LEAST_DIFFERENCE:.0%} of frames), with intervals that do not meet. It says what goes together, "
        "not why."
    )
    if report.extractors > 1:
        said += f" There are trajectories of {report.extractors} extractors or settings: differences may be theirs."
    return said


def _cells(group: GroupFairness, report: FairnessReport) -> tuple[str, ...]:
    if group.contributors is None or group.hours is None:
        return (f"fewer than {report.hidden_below}, or not shown", *[""] * (len(HEADINGS) - 1))
    numbers = (_cell(group.numbers[name], measure, group.contributors) for name, measure in MEASURES.items())
    return (f"{group.contributors}", f"{group.hours:.3f}", *numbers)


def _cell(number: GroupNumber, measure: Measure, contributors: int) -> str:
    if number.value is None:
        return "not measured" if number.people == 0 else "too few people"
    said = in_words(number.value, number.low, number.high, measure)
    if number.low is None:
        said += " (too few people for an interval)"
    return said if number.people == contributors else f"{said}, of {number.people} people"
