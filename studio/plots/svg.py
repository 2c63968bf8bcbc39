"""Plots as SVG, written by hand: bars and curves need no library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

MOST_BARS = 40
_WIDTH, _LEFT, _RIGHT, _ROW, _TOP = 720, 190, 150, 22, 64
_SIDE, _MARGIN = 420, 64
_BLUE, _GREY, _INK, _PAPER = "#33658a", "#b8bec4", "#1d2126", "#ffffff"
_RED = "#b3261e"


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


def shares_svg(
    title: str,
    note: str,
    points: Sequence[tuple[float, float]],
    axes: tuple[str, str],
    *,
    marks: Mapping[str, tuple[float, float]] | None = None,
    diagonal: bool = False,
) -> str:
    """A curve of one share over another, both 0 to 1, with marked points and perhaps the diagonal."""
    size = _SIDE - 2 * _MARGIN
    left, bottom = _MARGIN, _MARGIN + size + 10

    def at(x: float, y: float) -> tuple[float, float]:
        return left + size * x, bottom - size * y

    parts = [
        _text(16, 26, title, size=16, weight="bold"),
        _text(16, 46, note),
        f'<rect x="{left}" y="{bottom - size}" width="{size}" height="{size}" fill="none" stroke="{_GREY}"/>',
    ]
    if diagonal:
        parts.append(f'<line x1="{left}" y1="{bottom}" x2="{left + size}" y2="{bottom - size}" stroke="{_GREY}"/>')
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in (at(*point) for point in points))
    parts += [
        f'<polyline points="{line}" fill="none" stroke="{_BLUE}" stroke-width="2.5"/>',
        _text(left + size / 2, bottom + 34, axes[0], anchor="middle"),
        _text(left - 8, bottom - size - 6, axes[1]),
    ]
    for tick in (0, 50, 100):
        parts.append(_text(left + size * tick / 100, bottom + 16, f"{tick} %", anchor="middle"))
        parts.append(_text(left - 6, bottom - size * tick / 100 + 4, f"{tick} %", anchor="end"))
    for name, point in (marks or {}).items():
        x, y = at(*point)
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="{_RED}"/>')
        parts.append(_text(x + 8, y - 6, name))
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
