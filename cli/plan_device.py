"""A prediction for a GPU -> what text, JSON and HTML say of it: always that it is one, and what it assumes."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ..compiler.prediction import Forecast, Prediction
from ..spec.render import escape
from .screen import cut, duration, quantity, table

if TYPE_CHECKING:
    from ..compiler.prediction import Bound

LONGEST = 12  # kernels that are shown where not all are
HEAD = ("kernel", "time", "launches", "FLOPs", "bytes", "blocks", "decided by")
FIGURES = 64  # columns of all but the first
BOUNDS: dict[Bound, str] = {"arithmetic": "arithmetic", "bandwidth": "bandwidth", "launch": "launching"}


def title(found: Prediction) -> str:
    return f"prediction for {found.device.title}: calculated, not measured"


def sums(found: Prediction) -> tuple[str, ...]:
    """The step in all, what decides how long it takes, and the memory."""
    launches = sum(k.turns for k in found.kernels)
    shares = [(bound, sum(k.seconds for k in found.kernels if k.bound == bound)) for bound in BOUNDS]
    parts = ", ".join(f"{BOUNDS[bound]} {seconds / (found.seconds or 1):.0%}" for bound, seconds in shares if seconds)
    step = f"a step of {found.rows} samples: {duration(found.seconds)}, {launches:,} launches"
    return (
        f"{step}; never less than {duration(found.least)}, which is what the published peaks allow",
        f"its time is decided by {parts}",
        f"memory: {quantity(found.memory, 'B')} of {quantity(found.device.memory, 'B')}; {_fits(found)}",
    )


def _fits(found: Prediction) -> str:
    if not found.fits:
        return "not even one sample fits"
    return f"{found.fits:,} samples fit" + (", one more does not" if found.is_most else "")


def longest(found: Prediction, *, unfolded: bool) -> Sequence[Forecast]:
    """The kernels by their time."""
    ordered = sorted(found.kernels, key=lambda k: -k.seconds)
    return ordered if unfolded else ordered[:LONGEST]


def cells(kernel: Forecast) -> tuple[str, ...]:
    """A kernel's line under HEAD."""
    return (
        f"{kernel.place.span.line}: {escape(kernel.formula)}",
        duration(kernel.seconds),
        f"{kernel.turns:,}",
        quantity(kernel.flops),
        quantity(kernel.bytes, "B"),
        f"{kernel.blocks:,}",
        BOUNDS[kernel.bound],
    )


def lines(found: Prediction, columns: int, *, unfolded: bool) -> Iterator[str]:
    """The prediction as text."""
    yield from ("", title(found))
    for text in sums(found):
        yield from textwrap.wrap(text, columns, initial_indent="  ", subsequent_indent="    ")
    shown = longest(found, unfolded=unfolded)
    more = len(found.kernels) - len(shown)
    yield from ("", f"the longest of {len(found.kernels):,} kernels (--all shows them)" if more else "all kernels")
    rows = ((cut(name, max(columns - FIGURES, 16)), *figures) for name, *figures in map(cells, shown))
    yield from table(HEAD, rows)
    yield from ("", "assumed:")
    for text in (*found.assumptions, f"peaks, bandwidth and memory as published in: {found.device.source}"):
        yield from textwrap.wrap(text, columns, initial_indent="  - ", subsequent_indent="    ")


def as_data(found: Prediction) -> dict[str, Any]:
    """The prediction as plain data."""
    device = found.device
    return {
        "measured": False,
        "device": {
            "title": device.title,
            "processors": device.processors,
            "products": {str(d): peak for d, peak in device.products.items()},
            "scalar": {str(d): peak for d, peak in device.scalar.items()},
            "bandwidth": device.bandwidth,
            "memory": device.memory,
            "source": device.source,
        },
        "assumptions": list(found.assumptions),
        "rows": found.rows,
        "seconds": found.seconds,
        "least": found.least,
        "memory": found.memory,
        "fits": found.fits,
        "kernels": [
            {
                "formula": k.formula,
                "line": k.place.span.line,
                "flops": k.flops,
                "bytes": k.bytes,
                "launches": k.turns,
                "blocks": k.blocks,
                "warps": k.warps,
                "seconds": k.seconds,
                "least": k.least,
                "bound": k.bound,
            }
            for k in found.kernels
        ],
    }
