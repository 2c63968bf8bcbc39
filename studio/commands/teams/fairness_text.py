"""What the command `diversity` prints of what each group gets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from studio.commands.output import print_table, say

if TYPE_CHECKING:
    from annotate.diversity.group_fairness import FairnessReport


def say_fairness(report: FairnessReport) -> None:
    """Print a table and sentences for each attribute."""
    from annotate.diversity.fairness_table import HEADINGS, fairness_rows, fairness_sentences, how_measured

    for found in report.by_attribute:
        say("")
        rows = [(name, *cells) for name, cells in fairness_rows(found, report)]
        print_table(f"What recordings get, by {found.by}", ["", *HEADINGS], rows)
        for sentence in fairness_sentences(found):
            say(sentence)
    say(f"\n{how_measured(report)}")
