"""The command `diversity`: by whom and of what a dataset's hours are, what is missing, and what each group gets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from studio.commands.options import HERE, JsonOption, WorkspaceOption, opened, parse_dataset
from studio.commands.output import print_json, print_table, say
from studio.commands.teams.fairness_text import say_fairness

if TYPE_CHECKING:
    from annotate.diversity.diversity import Breakdown, DiversityReport, Group, Missing
    from annotate.diversity.motion_coverage import MotionCoverage

_MOST_ROWS = 20


def register(app: typer.Typer) -> None:
    """Add the command of this module to the application."""
    app.command()(diversity)


def diversity(
    dataset: Annotated[str, typer.Argument(help="NAME, or NAME@N for one version.")],
    internal: Annotated[
        bool, typer.Option("--internal", help="With ids and small groups: not to be passed on.")
    ] = False,
    smallest: Annotated[
        int, typer.Option(min=2, help="Groups of fewer contributors are not shown, unless --internal.")
    ] = 5,
    more: Annotated[
        int | None,
        typer.Option(
            min=1, help="How many further contributors 'missing' reckons with.", show_default="a tenth, at least 5"
        ),
    ] = None,
    motion: Annotated[bool, typer.Option(help="Also count ways of moving; reads up to 1,000 episodes.")] = True,
    fairness: Annotated[
        bool, typer.Option(help="Also what each group's recordings get; reads up to 4,000 recordings.")
    ] = True,
    plots: Annotated[Path | None, typer.Option(help="Write plots into this folder, as SVG.")] = None,
    folder: WorkspaceOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Say how diverse a dataset is: contributors, groups, ways of moving, who is missing, and what each group gets."""
    from annotate.diversity.diversity import contributions, for_publication
    from annotate.diversity.diversity import diversity as report_of
    from annotate.diversity.group_fairness import compare_groups
    from annotate.diversity.motion_coverage import measure_coverage
    from annotate.diversity.received_quality import measure_quality
    from kinesphere.dataset import open_dataset
    from storage.catalog.people.attributes import ATTRIBUTES, Attributes

    name, number = parse_dataset(dataset)
    with opened(folder) as workspace:
        found = open_dataset(workspace.dataset_location(name), number)
        declared = Attributes(workspace.catalog).all()
    report = report_of(contributions(found.episodes, declared), ATTRIBUTES, more=more)
    if not internal:
        report = for_publication(report, smallest)
    coverage = measure_coverage(found) if motion else None
    # where nobody has declared anything there are no groups
    by_group = compare_groups(measure_quality(found), declared, report) if fairness and report.by_attribute else None
    files = []
    if plots is not None:
        from studio.plots.diversity_plots import write_plots

        files = write_plots(plots, report, coverage)
    if as_json:
        shown = {"dataset": name, "version": found.version, "diversity": _as_json(report)}
        print_json(shown | {"fairness": by_group, "motion": coverage, "plots": files})
        return
    _say_report(f"{name}@{found.version}", report)
    if by_group is not None:
        say_fairness(by_group)
    if coverage is not None:
        _say_coverage(coverage)
    for file in files:
        say(f"Wrote {file}")


def _as_json(report: DiversityReport) -> dict[str, object]:
    """The report, with each sentence beside its numbers."""
    missing = [asdict(one) | {"sentence": one.sentence} for one in report.missing]
    return asdict(report) | {"missing": missing}


def _say_report(name: str, report: DiversityReport) -> None:
    say(f"{name}: {report.hours:.2f} hours, {report.episodes} episodes by {report.contributors} contributors\n")
    rows = [
        ("effective contributors (exponential of Shannon entropy)", f"{report.effective_contributors_shannon:.2f}"),
        ("effective contributors (inverse Simpson)", f"{report.effective_contributors_simpson:.2f}"),
        ("hours by the top 1 % of contributors", f"{report.top_1_percent_share:.1%}"),
        ("hours by the top 10 % of contributors", f"{report.top_10_percent_share:.1%}"),
    ]
    print_table("Diversity", ["", "number"], rows)
    for breakdown in (report.by_contributor, report.by_task, *report.by_attribute):
        _say_breakdown(breakdown, report)
    if report.missing:
        say("\nWhat is missing, the largest gain first:")
        for one in _best(report.missing):
            say(f"  {one.sentence}.")
    elif report.by_attribute:
        say("\nNothing is missing as far as contributors have declared: every attribute is even.")
    else:
        say("\nNo contributor here has declared anything, so nobody can tell who is missing.")
        say("With their consent: kinesphere contributor describe ID --handedness left --yes")


def _best(missing: Sequence[Missing]) -> list[Missing]:
    """The first two of each attribute, in their order."""
    named: Counter[str] = Counter()
    chosen = []
    for one in missing:
        named[one.attribute] += 1
        if named[one.attribute] <= 2:
            chosen.append(one)
    return chosen


def _say_breakdown(breakdown: Breakdown, report: DiversityReport) -> None:
    shown = breakdown.groups[:_MOST_ROWS]
    say("")
    columns = [breakdown.by, "contributors", "episodes", "hours", "share"]
    print_table(f"Hours by {breakdown.by}", columns, [_row(group, report) for group in shown])
    if len(breakdown.groups) > len(shown):
        say(f"and {len(breakdown.groups) - len(shown)} more; --json has all")
    if breakdown.effective_shannon is not None and breakdown.by != "contributor":
        worth = f"{breakdown.effective_shannon:.2f} equal groups (Shannon), {breakdown.effective_simpson:.2f} (Simpson)"
        say(f"worth {worth}")


def _row(group: Group, report: DiversityReport) -> tuple[object, ...]:
    if group.hours is None:
        return group.name, f"fewer than {report.hidden_below}, or not shown", "", "", ""
    share = group.hours / report.hours if report.hours else 0.0
    return group.name, group.contributors, group.episodes, f"{group.hours:.3f}", f"{share:.1%}"


def _say_coverage(coverage: MotionCoverage) -> None:
    if not coverage.pieces:
        say(f"\nWays of moving: not counted; the wrists were not found in the {coverage.episodes} episodes looked at.")
        return
    least = "at least " if coverage.is_limited else ""
    fair = "" if coverage.in_100_pieces is None else f" Of 100 pieces: {coverage.in_100_pieces:.1f} ways."
    say(
        f"\nWays of moving: {least}{coverage.clusters}, worth {coverage.effective_shannon:.1f} equally frequent ones "
        f"(Shannon), {coverage.effective_simpson:.1f} (Simpson); in {coverage.pieces} pieces of at most 2 s of "
        f"{coverage.episodes} episodes, {coverage.skipped} more without wrists.{fair}"
    )
