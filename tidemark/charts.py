"""Small bar charts, as numbers for a picture: which bar stands where, how high and of what kind."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from tidemark.gate_verdicts import GateVerdict
from tidemark.volumes import HeldBack, Volume

WIDTH, HEIGHT = 280.0, 56.0

_GAP = 2.0
_LEAST = 2.0  # of a bar, so that one can see it
_SHOWN_REASONS = 4
OTHERS = "others"


@dataclass(frozen=True)
class Bar:
    """One bar, or one part of a stacked one."""

    x: float
    y: float
    width: float
    height: float
    kind: str
    title: str


@dataclass(frozen=True)
class Chart:
    """Bars in a frame of WIDTH by HEIGHT, an expected band behind them, and the words below its ends."""

    bars: Sequence[Bar]
    first: str = ""
    last: str = ""
    band: Bar | None = None
    legend: Sequence[tuple[str, str, int]] = ()  # kind, name, total


def gate_chart(gates: Sequence[GateVerdict]) -> Chart:
    """Show each gate as a bar of its seconds, in its verdict's colour; a failure is as high as the frame."""
    longest = max((gate.seconds for gate in gates), default=0.0)
    bars = []
    for number, gate in enumerate(gates):
        share = 1.0 if gate.verdict == "fail" or not longest else 0.25 + 0.6 * gate.seconds / longest
        not_met = "; ".join(gate.not_met()) or "every check is met"
        title = f"{gate.at:%Y-%m-%d %H:%M}, version {gate.version}: {gate.verdict}, {gate.seconds:.1f} s: {not_met}"
        bars.append(_bar(number, max(len(gates), 12), share, gate.verdict, title))
    return Chart(bars, f"{gates[0].at:%b %d %H:%M}" if gates else "", f"{gates[-1].at:%b %d %H:%M}" if gates else "")


def volume_chart(volume: Volume, days: Sequence[date]) -> Chart:
    """Show the rows of each day, and where the newest whole day is expected."""
    high = max([*volume.days.values(), *(volume.expected or ())], default=0) or 1
    bars = []
    for number, day in enumerate(days):
        rows = volume.days.get(day)
        if rows is not None:
            is_odd = volume.expected is not None and day != days[-1] and not _within(rows, volume.expected)
            kind = "warn" if is_odd else "plain"
            bars.append(_bar(number, len(days), rows / high, kind, f"{day}: {rows:,} rows"))
    return Chart(bars, f"{days[0]:%b %d}", f"{days[-1]:%b %d}", _band(volume.expected, high))


def held_back_chart(held: HeldBack, days: Sequence[date]) -> Chart:
    """Show the quarantined rows of each day, in parts by reason; rare reasons are one part."""
    totals: dict[str, int] = {}
    for reasons in held.days.values():
        for reason, rows in reasons.items():
            totals[reason] = totals.get(reason, 0) + rows
    named = sorted(totals, key=lambda reason: (-totals[reason], reason))[:_SHOWN_REASONS]
    kinds = {reason: f"reason{number}" for number, reason in enumerate(named)}
    high = max((sum(reasons.values()) for reasons in held.days.values()), default=0) or 1
    bars = [
        bar
        for number, day in enumerate(days)
        for bar in _stacked(number, len(days), day, _grouped(held.days.get(day, {}), kinds), kinds, high)
    ]
    legend = [(kinds[reason], reason, totals[reason]) for reason in named]
    rest = sum(rows for reason, rows in totals.items() if reason not in kinds)
    legend += [("reason-other", OTHERS, rest)] if rest else []
    return Chart(bars, f"{days[0]:%b %d}", f"{days[-1]:%b %d}", legend=legend)


def _stacked(
    number: int, of: int, day: date, reasons: Mapping[str, int], kinds: Mapping[str, str], high: int
) -> list[Bar]:
    parts: list[Bar] = []
    top = HEIGHT
    for reason, rows in reasons.items():
        whole = _bar(number, of, rows / high, kinds.get(reason, "reason-other"), f"{day}: {reason}: {rows:,} rows")
        top -= whole.height
        parts.append(Bar(whole.x, max(top, 0.0), whole.width, whole.height, whole.kind, whole.title))
    return parts


def _grouped(reasons: Mapping[str, int], kinds: Mapping[str, str]) -> dict[str, int]:
    """Put the named reasons first, in their order, and add up the others."""
    grouped = {reason: reasons[reason] for reason in kinds if reason in reasons}
    rest = sum(rows for reason, rows in reasons.items() if reason not in kinds)
    return grouped | ({OTHERS: rest} if rest else {})


def _bar(number: int, of: int, share: float, kind: str, title: str) -> Bar:
    step = WIDTH / of
    height = max(_LEAST, share * HEIGHT)
    return Bar(round(number * step, 2), round(HEIGHT - height, 2), round(step - _GAP, 2), round(height, 2), kind, title)


def _band(expected: tuple[int, int] | None, high: int) -> Bar | None:
    if expected is None:
        return None
    low, most = expected
    top = HEIGHT - HEIGHT * most / high
    return Bar(
        0, round(top, 2), WIDTH, round(HEIGHT * (most - low) / high, 2), "band", f"expected: {low:,} to {most:,}"
    )


def _within(rows: int, bounds: tuple[int, int]) -> bool:
    return bounds[0] <= rows <= bounds[1]
