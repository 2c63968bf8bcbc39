"""Plots of a diversity report, as SVG."""

from __future__ import annotations

from pathlib import Path

from annotate.diversity.diversity import Breakdown, DiversityReport
from annotate.diversity.motion_coverage import MotionCoverage
from studio.plots.svg import bars_svg, shares_svg


def write_plots(folder: Path, report: DiversityReport, coverage: MotionCoverage | None) -> list[Path]:
    """Write the plots of a report into a folder, which is made if it is not there; gives their paths."""
    plots = {
        "contributors": contributors_curve(report),
        "hours_by_task": hours_plot(report.by_task, report),
    }
    for breakdown in report.by_attribute:
        plots[f"hours_by_{breakdown.by.replace('-', '_')}"] = hours_plot(breakdown, report)
    if coverage is not None and coverage.pieces:
        title = f"Ways of moving: {coverage.clusters}, worth {coverage.effective_shannon:.1f} equally frequent ones"
        note = f"{coverage.pieces} pieces of at most 2 s; each bar is a cluster"
        bars = [(f"{place}", float(size), f"{size}") for place, size in enumerate(coverage.sizes, start=1)]
        plots["ways_of_moving"] = bars_svg(title, note, bars)
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for name, content in plots.items():
        files.append(folder / f"{name}.svg")
        files[-1].write_text(content, encoding="utf-8")
    return files


def hours_plot(breakdown: Breakdown, report: DiversityReport) -> str:
    """Bars of the hours of each group; groups that are not shown have a grey dash and no length."""
    worth = breakdown.effective_shannon
    note = "" if worth is None else f"worth {worth:.2f} equal groups (exponential of Shannon entropy)"
    bars = [
        (group.name, group.hours, f"{group.hours:.3g} h, {group.contributors} contributors")
        if group.hours is not None
        else (group.name, None, f"fewer than {report.hidden_below}, or not shown")
        for group in breakdown.groups
    ]
    return bars_svg(f"Hours by {breakdown.by}", note, bars)


def contributors_curve(report: DiversityReport) -> str:
    """The Lorenz curve of hours over contributors, from the least to the most; the diagonal is all alike."""
    amounts = sorted(group.hours or 0.0 for group in report.by_contributor.groups)
    total = sum(amounts) or 1.0
    sums = [0.0]
    for amount in amounts:
        sums.append(sums[-1] + amount)
    points = [(place / max(1, len(amounts)), hours_so_far / total) for place, hours_so_far in enumerate(sums)]
    note = (
        f"{report.contributors}, worth {report.effective_contributors_shannon:.1f} (Shannon) or "
        f"{report.effective_contributors_simpson:.1f} (Simpson)"
    )
    axes = ("share of the contributors, fewest hours first", "share of the hours")
    return shares_svg("Hours by contributor", note, points, axes, diagonal=True)
