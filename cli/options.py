"""Options that several commands share, and the examples below their help."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from ..backends import Backend

F = TypeVar("F", bound=Callable[..., Any])
MACHINE = "axonc.machine"  # the key under which a run of the program remembers that a tool reads it


def examples(*lines: str) -> str:
    """The end of a help text: command lines, each as one would type it."""
    return "\n".join(["\b", "Examples:", *(f"  {line}" for line in lines)])


def machine_option(function: F) -> F:
    """`--json`: everything on stdout is one JSON value, mistakes too."""

    def note(context: click.Context, option: click.Parameter, value: bool) -> bool:
        context.meta[MACHINE] = value
        return value

    return click.option("--json", "machine", is_flag=True, callback=note, help="Write JSON, mistakes too.")(function)


def backend_options(function: F) -> F:
    """`--backend` and `--threads`: what computes."""
    threads = click.option(
        "--threads",
        type=click.IntRange(1),
        help="Of native code, 1 by default; more pay where steps are long and cores free.",
    )
    names = click.Choice(("numpy", "native", "cupy"))
    told = (
        "numpy, the default; native: C made for this model, compiled once, without a C compiler NumPy; or cupy: an "
        "NVIDIA GPU."
    )
    return click.option("--backend", type=names, help=told)(threads(function))


def chosen_backend(name: str | None, threads: int | None) -> Backend | None:
    """The backend that the options ask for, None where they do not."""
    from .. import backends

    if threads and name != "native":
        raise click.UsageError("--threads is for native code: give --backend native too")
    return backends.backend(name, threads=threads) if name else None


def set_option(function: F) -> F:
    """`--set name=value`: another value for a constant of the spec."""
    return click.option(
        "--set",
        "overrides",
        multiple=True,
        metavar="NAME=VALUE",
        callback=_overrides,
        help="Another value for a constant of the spec; may be given several times.",
    )(function)


def allow_option(function: F) -> F:
    """`--allow FOLDER`: files outside the folder of the spec."""
    return click.option(
        "--allow",
        "allowed",
        multiple=True,
        metavar="FOLDER",
        type=click.Path(exists=True, file_okay=False),
        help="Read files from this folder too, not from that of the spec alone; may be given several times.",
    )(function)


def size_option(function: F) -> F:
    """`--size T=128`: a number for a dimension that no data binds."""
    return click.option(
        "--size",
        "sizes",
        multiple=True,
        metavar="NAME=NUMBER",
        callback=_sizes,
        help="A number for a dimension that no data binds; may be given several times.",
    )(function)


def _overrides(context: click.Context, option: click.Parameter, given: tuple[str, ...]) -> dict[str, str]:
    return dict(_pair(text, "NAME=VALUE, such as hidden=64") for text in given)


def _sizes(context: click.Context, option: click.Parameter, given: tuple[str, ...]) -> dict[str, int]:
    wanted = "NAME=NUMBER with a whole number from 1, such as T=128"
    pairs = dict(_pair(text, wanted) for text in given)
    for name, value in pairs.items():
        if not value.isdecimal() or not int(value):
            raise click.BadParameter(f"expected {wanted}, found {name}={value}")
    return {name: int(value) for name, value in pairs.items()}


def _pair(text: str, wanted: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign or not name.strip() or not value.strip():
        raise click.BadParameter(f"expected {wanted}, found {text!r}")
    return name.strip(), value.strip()
