"""Functions to C texts that are compiled one by one, each for about as long, those that take longest first."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from ..schedule.target import Machinery
from .function import HEAD
from .mathematics import definitions
from .panel import COPIES
from .sharing import Shared
from .tile import prelude

KERNELS = "\n/* Kernels */\n"
UNIT = 32000  # characters of kernels that are compiled together: fewer cost less, until cores wait for the last
KERNEL = 1300  # characters that take as long as what a kernel takes besides its own


def sources(functions: Iterable[Shared], comments: Mapping[str, str], machinery: Machinery) -> tuple[str, ...]:
    """The texts of functions. Those that call the same copies stand together: every text has its own of these."""
    units: list[list[Shared]] = []
    weights: list[int] = []
    for f in sorted(functions, key=lambda f: [f"_{name}(" in f.text for name in COPIES]):
        weight = len(f.text) + KERNEL
        if not units or weights[-1] + weight > UNIT:
            units.append([])
            weights.append(0)
        units[-1].append(f)
        weights[-1] += weight
    falling = sorted(zip(weights, units, strict=True), key=lambda unit: -unit[0])
    return tuple(source(unit, comments, machinery) for _, unit in falling)


def source(functions: Iterable[Shared], comments: Mapping[str, str], machinery: Machinery) -> str:
    """The text of functions, after what they call; what they do not call would cost time."""
    body = "\n".join(_commented(f, comments[next(iter(f.given))]) for f in functions)
    head = prelude(machinery.lanes) if re.search(r"\bf(32|64)(v|_)", body) else HEAD
    return f"{head}{definitions(body)}{KERNELS}{body}"


def _commented(f: Shared, comment: str) -> str:
    """A function under what it does."""
    more = f"\n   and {len(f.given) - 1} more of other sizes" if len(f.given) > 1 else ""
    return f"/* {comment}{more} */\n{f.text.replace('@', f.name)}"
