"""Plots of a diversity report, as SVG files written by hand: bars and a curve need no library."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

from annotate.diversity import Breakdown, DiversityReport
from annotate.motion_coverage import MotionCoverage

MOST_BARS = 40
_WIDTH, _LEFT, _RIGHT, _ROW, _TOP = 720, 190, 150, 22, 64
_SIDE, _MARGIN = 420, 64
_BLUE, _GREY, _INK, _PAPER = "#33658a", "#b8bec4", "#1d2126", "#ffffff"


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


def bars_svg(title: str, note: str, bars: Sequence[tuple[str, float | None, str]]) -> str:
    """Horizontal bars: name, amount (None where it is not shown) and what is written beside it."""
    shown = bars[:MOST_BARS]
    most = max((amount for _, amount, _ in shown if amount is not None), default=0.0) or 1.0
    room = _WIDTH - _LEFT - _RIGHT
    parts = [_text(16, 26, title, size=16, weight="bold"), _text(16, 46, note)]
    for number, (name, amount, label) in enumerate(shown):
        y = _TOP + number * _ROW
        length = 0.0 if amount is None else room * amount / most
        parts.append(_text(_LEFT - 8, y + 15, name[:26], anchor="end"))
        colour = _GREY if amount is None else _BLUE
        parts.append(
            f'<rect x="{_LEFT}" y="{y + 3}" width="{max(length, 1):.1f}" height="{_ROW - 6}" fill="{colour}"/>'
        )
        parts.append(_text(_LEFT + max(length, 1) + 6, y + 15, label))
    height = _TOP + len(shown) * _ROW + 16
    if len(bars) > len(shown):
        parts.append(_text(_LEFT, height + 4, f"and {len(bars) - len(shown)} more"))
        height += 20
    return _svg(_WIDTH, height, parts)


def contributors_curve(report: DiversityReport) -> str:
    """The Lorenz curve of hours over contributors, from the least to the most; the diagonal is all alike."""
    amounts = sorted(group.hours or 0.0 for group in report.by_contributor.groups)
    total = sum(amounts) or 1.0
    sums = [0.0]
    for amount in amounts:
        sums.append(sums[-1] + amount)
    size = _SIDE - 2 * _MARGIN
    left, bottom = _MARGIN, _MARGIN + size + 10
    points = " ".join(
        f"{left + size * place / max(1, len(amounts)):.1f},{bottom - size * held / total:.1f}"
        for place, held in enumerate(sums)
    )
    note = (
        f"{report.contributors}, worth {report.effective_contributors_shannon:.1f} (Shannon) or "
        f"{report.effective_contributors_simpson:.1f} (Simpson)"
    )
    parts = [
        _text(16, 26, "Hours by contributor", size=16, weight="bold"),
        _text(16, 46, note),
        f'<rect x="{left}" y="{bottom - size}" width="{size}" height="{size}" fill="none" stroke="{_GREY}"/>',
        f'<line x1="{left}" y1="{bottom}" x2="{left + size}" y2="{bottom - size}" stroke="{_GREY}"/>',
        f'<polyline points="{points}" fill="none" stroke="{_BLUE}" stroke-width="2.5"/>',
        _text(left + size / 2, bottom + 34, "share of the contributors, fewest hours first", anchor="middle"),
        _text(left - 8, bottom - size - 6, "share of the hours"),
    ]
    for tick in (0, 50, 100):
        parts.append(_text(left + size * tick / 100, bottom + 16, f"{tick} %", anchor="middle"))
        parts.append(_text(left - 6, bottom - size * tick / 100 + 4, f"{tick} %", anchor="end"))
    return _svg(_SIDE, int(bottom + 50), parts)


def _text(x: float, y: float, text: str, *, anchor: str = "start", size: int = 12, weight: str = "normal") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" font-weight="{weight}" '
        f'fill="{_INK}">{escape(text)}</text>'
    )


def _svg(width: int, height: int, parts: Sequence[str]) -> str:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    background = f'<rect width="{width}" height="{height}" fill="{_PAPER}"/>'
    return "\n".join([f'{head} font-family="sans-serif">', background, *parts, "</svg>", ""])
