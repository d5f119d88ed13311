"""Inline SVG: the reliability plot and the histogram of parse times."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from .calibration import Bin
from .figures import percentile
from .page import Markup

_BAR, _LINE, _GRID = "#4c78a8", "#c0504d", "#e3e6ec"
_LEFT, _TOP, _SIDE, _LOW = 46, 14, 300, 40
_TIME_BARS = 24


def reliability(bins: Sequence[Bin]) -> Markup:
    """Return the share of right readings over the confidence of each bin; on the dashed line both are equal."""
    parts = [_frame("confidence", "share of right readings", _SIDE)]
    for tick in range(0, 11, 2):
        parts += [_x_label(tick / 10, f"{tick / 10:.1f}", _SIDE), _y_label(tick / 10, f"{tick / 10:.1f}", _SIDE)]
    for each in bins:
        said = f"{each.low:.2f}–{each.high:.2f}: {each.count} messages, mean confidence {each.confidence:.3f}"
        parts.append(_bar(each.low, each.high, each.accuracy, _SIDE, f"{said}, right {each.accuracy:.3f}"))
        x, y = _LEFT + each.confidence * _SIDE, _TOP + (1 - each.accuracy) * _SIDE
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{_LINE}" stroke="#fff"/>')
    corner = f'x1="{_LEFT}" y1="{_TOP + _SIDE}" x2="{_LEFT + _SIDE}" y2="{_TOP}"'
    parts.append(f'<line {corner} stroke="{_LINE}" stroke-dasharray="4 4"/>')
    return _svg("Reliability plot", _SIDE, parts)


def histogram(milliseconds: Sequence[float]) -> Markup:
    """Return how many messages took how long; what lies above the 99th percentile stands in the last bar."""
    width = 460
    longest = percentile(milliseconds, 0.99) or 1.0
    counts = [0] * _TIME_BARS
    for each in milliseconds:
        counts[min(int(each / longest * _TIME_BARS), _TIME_BARS - 1)] += 1
    most = max(max(counts), 1)
    parts = [_frame("milliseconds a message", "messages", width)]
    for quarter in range(5):
        part = quarter / 4
        parts += [_x_label(part, f"{part * longest:.0f}", width), _y_label(part, f"{part * most:.0f}", width)]
    for place, count in enumerate(counts):
        low, high = place / _TIME_BARS, (place + 1) / _TIME_BARS
        above = " and more" if place == _TIME_BARS - 1 else ""
        said = f"{low * longest:.1f}–{high * longest:.1f} ms{above}: {count} messages"
        parts.append(_bar(low, high, count / most, width, said))
    return _svg("Parse times", width, parts)


def _svg(name: str, width: int, parts: Sequence[str]) -> Markup:
    size = f'width="{_LEFT + width + 16}" height="{_TOP + _SIDE + _LOW}"'
    return Markup(f'<svg role="img" aria-label="{escape(name)}" {size}>{"".join(parts)}</svg>')


def _bar(low: float, high: float, height: float, width: int, said: str) -> str:
    x, y = _LEFT + low * width + 1, _TOP + (1 - height) * _SIDE
    size = f'width="{(high - low) * width - 2:.1f}" height="{height * _SIDE:.1f}"'
    return f'<rect x="{x:.1f}" y="{y:.1f}" {size} fill="{_BAR}"><title>{escape(said)}</title></rect>'


def _frame(below: str, beside: str, width: int) -> str:
    middle = _TOP + _SIDE / 2
    return (
        f'<rect x="{_LEFT}" y="{_TOP}" width="{width}" height="{_SIDE}" fill="none" stroke="{_GRID}"/>'
        f'<text x="{_LEFT + width / 2}" y="{_TOP + _SIDE + 34}" text-anchor="middle">{escape(below)}</text>'
        f'<text transform="rotate(-90 11 {middle})" x="11" y="{middle}" text-anchor="middle">{escape(beside)}</text>'
    )


def _x_label(part: float, label: str, width: int) -> str:
    return f'<text x="{_LEFT + part * width:.1f}" y="{_TOP + _SIDE + 16}" text-anchor="middle">{escape(label)}</text>'


def _y_label(part: float, label: str, width: int) -> str:
    y = _TOP + (1 - part) * _SIDE
    return (
        f'<line x1="{_LEFT}" y1="{y:.1f}" x2="{_LEFT + width}" y2="{y:.1f}" stroke="{_GRID}"/>'
        f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{escape(label)}</text>'
    )
