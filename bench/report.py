"""Findings as lines for a screen, and as plain data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from .case import Case
from .measure import Findings, Spread
from .peak import meter


def as_json(
    case: Case, machine: Mapping[str, Any], rivals: Sequence[tuple[int, Sequence[Findings]]], clock: str = "wall"
) -> dict[str, Any]:
    """Everything, in seconds and bytes."""
    return {
        "clock": clock,
        "name": case.specification.name,
        "rows": case.rows,
        "flops": case.flops if case.trains else None,
        "machine": dict(machine),
        "runs": [
            {"threads": threads, "peak": _peak(threads), "contenders": [asdict(found) for found in findings]}
            for threads, findings in rivals
        ],
    }


def screen(case: Case, machine: Mapping[str, Any], threads: int, findings: Sequence[Findings]) -> Iterator[str]:
    """The tables of one number of threads."""
    s = case.specification
    yield f"{s.name}, {s.parameter_count:,} parameters, {case.rows} samples, {threads} {_plural('thread', threads)}"
    yield f"{machine['processor']}, {machine['vectors']}, {machine['compiler']}"
    yield ""
    leader = findings[0].contender
    if case.trains:
        head = ("training step", "time", f"times {leader}", "first", "from caches", "process", "memory")
        yield from _table(head, [_trained(f) for f in findings if f.step])
        yield ""
    for rows in findings[0].predict:
        yield from _table(
            (f"predict {rows}", "time", f"times {leader}"), [_predicted(f, rows) for f in findings if rows in f.predict]
        )
        yield ""
    if case.trains:
        yield from _roofline(case, threads, findings)
    for f in findings:
        if f.left_out:
            yield f"{f.contender} is left out: {f.left_out}"


def _roofline(case: Case, threads: int, findings: Sequence[Findings]) -> Iterator[str]:
    """The floating-point operations of a step, and how much of this machine's peak they are."""
    found = _peak(threads)
    if found is None:
        yield f"a step is {_flops(case.flops)}; without a C compiler the peak of this machine is not known"
        return
    ends = case.flops / found["flops"]
    yield (
        f"a step is {_flops(case.flops)}, which end at {_time(ends)} at best: this machine adds up "
        f"{found['flops'] / 1e9:.1f} GFLOP/s and copies {found['bytes'] / 2e9:.1f} GB/s"
    )
    shares = [f"{f.contender} {f.share.median:.0%}" for f in findings if f.share]
    yield f"share of what it added up in turn with the steps: {', '.join(shares)}"


def _peak(threads: int) -> dict[str, float] | None:
    found = meter(threads)
    return found.peak()._asdict() if found else None


def _trained(f: Findings) -> tuple[str, ...]:
    assert f.step is not None
    assert f.against is not None
    memory = "" if f.memory is None else f"{f.memory / 1e6:.0f} MB"
    return (f.contender, _time(f.step.median), _ratio(f.against), *map(_time, (f.first, f.kept, f.process)), memory)


def _predicted(f: Findings, rows: int) -> tuple[str, ...]:
    return f.contender, _time(f.predict[rows].median), _ratio(f.predict_against[rows])


def _ratio(s: Spread) -> str:
    return f"{s.median:.2f} ({s.low:.2f} to {s.high:.2f})"


def _time(seconds: float | None) -> str:
    if seconds is None:
        return ""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"


def _flops(count: int) -> str:
    return f"{count / 1e9:.3g} GFLOP" if count >= 1e9 else f"{count / 1e6:.3g} MFLOP"


def _plural(word: str, count: int) -> str:
    return word if count == 1 else f"{word}s"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    for row in (head, *rows):
        cells = (c.ljust(n) if i == 0 else c.rjust(n) for i, (c, n) in enumerate(zip(row, widths, strict=True)))
        yield "  ".join(cells).rstrip()
