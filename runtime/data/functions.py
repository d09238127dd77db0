"""The table of preparing functions, and chains of them: how a binding's steps become something that runs."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import quoted, suggestion
from .categories import Classes, OneHot
from .function import Function
from .numeric import Log, Normalise
from .picture import Grey, Image, Resize
from .recipe import Step, Value
from .series import Shift, Window
from .tokens import Characters, Length, Words

FUNCTIONS: Mapping[str, type[Function] | type[Window] | type[Shift]] = {
    "characters": Characters,
    "classes": Classes,
    "grey": Grey,
    "image": Image,
    "length": Length,
    "log": Log,
    "normalise": Normalise,
    "one_hot": OneHot,
    "resize": Resize,
    "shift": Shift,
    "window": Window,
    "words": Words,
}


@dataclass(eq=False)
class WrongStep(Exception):
    """A step that cannot be: an unknown function, wrong arguments, or one that does not fit what comes before it.

    `code` is stable, `index` is the position among the binding's steps, `help` may be empty.
    """

    code: str
    index: int
    problem: str
    help: str = ""

    def __str__(self) -> str:
        return f"{self.problem}; {self.help}" if self.help else self.problem


@dataclass(frozen=True, slots=True)
class Chain:
    """The functions of a binding in order, and how its samples are made of rows.

    A sample of row r is the row r + `shift`, or with a `window` that many rows from there.
    """

    functions: tuple[Function, ...]
    shift: int = 0
    window: Window | None = None

    @property
    def length(self) -> int:
        """How many rows make a sample, 0 if each row is one."""
        return self.window.length if self.window else 0

    @property
    def takes(self) -> str:
        """The kind of column that it begins with: `numbers`, `texts` or `images`."""
        return self.functions[0].takes if self.functions else "numbers"

    @property
    def slow(self) -> bool:
        """Whether it reads images."""
        return any(function.gives == "images" for function in self.functions)


def step(function: str, positional: Sequence[Value], named: Mapping[str, Value], index: int = 0) -> Step:
    """The use of `function` with arguments as a spec gives them. WrongStep if there is no such function or call."""
    if function not in FUNCTIONS:
        advice = suggestion(function, FUNCTIONS)
        raise WrongStep("unknown-function", index, f"there is no data function {quoted(function)}", advice)
    signature = inspect.signature(FUNCTIONS[function])
    try:
        arguments = signature.bind(*positional, **named).arguments
        FUNCTIONS[function](**arguments)
    except (TypeError, ValueError) as error:
        call = f"{function}({', '.join(str(p).split(':')[0] for p in signature.parameters.values())})"
        raise WrongStep("wrong-argument", index, f"`{function}`: {error}", f"it is written {call}") from None
    return Step(function, tuple(arguments.items()))


def chain(steps: Sequence[Step]) -> Chain:
    """The running form of a binding's steps. WrongStep if one does not fit."""
    functions: list[Function] = []
    shift, window = 0, None
    for index, item in enumerate(steps):
        step(item.function, (), dict(item.arguments), index)
        arguments: dict[str, Any] = dict(item.arguments)
        match made := FUNCTIONS[item.function](**arguments):
            case Window():
                if window:
                    raise WrongStep("second-window", index, "a second `window`", "one binding has one window")
                window = made
            case Shift():
                shift += made.rows
            case Function():
                _check_order(functions, made, item.function, index, series=bool(window or shift))
                functions.append(made)
    return Chain(tuple(functions), shift, window)


_BECOMES = {"column": ("numbers", "texts", "images"), "images": ("numbers",)}  # a kind of value to what it is read as


def _check_order(before: Sequence[Function], made: Function, name: str, index: int, *, series: bool) -> None:
    if series:
        problem = f"`{name}` comes after `window` or `shift`"
        raise WrongStep("step-order", index, problem, f"put `{name}` before them")
    kind = before[-1].gives if before else "column"
    if made.takes not in (kind, *_BECOMES.get(kind, ())):
        given = {"column": "a column", "texts": "text"}.get(kind, kind)
        makers = ", ".join(f"`{n}`" for n, f in FUNCTIONS.items() if getattr(f, "gives", "") == made.takes)
        advice = f"put one of {makers} before it" if makers else "it must be the first"
        raise WrongStep("step-order", index, f"`{name}` takes {made.takes}, found {given} before it", advice)
