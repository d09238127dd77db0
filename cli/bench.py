"""`axonc bench`: a spec -> how fast it trains and predicts here, beside the same network in other frameworks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from .options import examples, machine_option, set_option, size_option

if TYPE_CHECKING:
    pass

PEERS = ("torch", "torch-channels-last", "torch-compile", "jax", "onnxruntime")


@click.command(
    epilog=examples(
        "axonc bench net.axon",
        "axonc bench net.axon --against torch,torch-compile,jax,onnxruntime --threads 1,2 --rows 128",
        "axonc bench net.axon --against torch --backend numpy --json",
    )
)
@click.argument("spec")
@click.option("--against", default="", metavar="NAMES", help=f"Peers, with commas: {', '.join(PEERS)}.")
@click.option("--threads", "counts", default="1", metavar="NUMBERS", help="With commas; default: 1.")
@click.option(
    "--backend",
    "backends",
    default="native",
    metavar="NAMES",
    help="native, the default, numpy, or both with a comma; peers are compared with the first.",
)
@click.option("--rows", type=click.IntRange(1), help="Samples of a step; default: the batch of the data, or 32.")
@click.option("--rounds", type=click.IntRange(2), default=7, show_default=True, help="How often each is measured.")
@click.option("--seconds", type=click.FloatRange(0), default=0.3, show_default=True, help="Of each measurement.")
@click.option(
    "--clock",
    type=click.Choice(("wall", "processor")),
    default="wall",
    show_default=True,
    help="processor: what was computed, which says more of one thread on a busy machine.",
)
@click.option("--peers", "written", type=click.Path(), multiple=True, metavar="torch=FILE.py", help="Networks by hand.")
@set_option
@size_option
@machine_option
def command(
    spec: str,
    against: str,
    counts: str,
    backends: str,
    rows: int | None,
    rounds: int,
    seconds: float,
    clock: str,
    written: tuple[str, ...],
    overrides: dict[str, str],
    sizes: dict[str, int],
    machine: bool,
) -> None:
    """Measure how fast a spec trains and predicts.

    Training steps, predictions of one sample and of a batch, the first step, and the memory of training, each
    contender in a process of its own and all of them in turn; medians, and ratios of each round with quartiles. Peers
    are the same network in PyTorch, JAX and ONNX Runtime, made from the graph of the spec operation by operation,
    with the same weights; they must compute the same numbers. All train with Adam.

    --peers takes networks that were written by hand instead: a file of Python, which is run.
    """
    from ..bench.case import case
    from ..bench.machine import facts
    from ..bench.measure import Effort, measure
    from ..bench.report import as_json, screen
    from ..specification import check
    from .failure import finite, print_json

    names = (*_listed(backends, ("native", "numpy"), "--backend"), *_listed(against, PEERS, "--against"))
    if not names:
        raise click.BadParameter("name a backend or a peer", param_hint="--backend")
    threads = _counts(counts)
    if clock == "processor" and threads != [1]:
        raise click.UsageError("--clock processor measures one thread; more share the work that it counts")
    effort, by_hand = Effort(rounds, seconds), _written(written)
    found = case(check(spec, overrides=overrides, sizes=sizes), spec, overrides, sizes, rows)
    present, missing = _present(names)
    for name, package in missing.items():
        click.echo(f"note: {name} is left out: the package {package} is not installed", err=True)
    rivals = [(count, measure(found, present, count, effort, by_hand, clock)) for count in threads]
    if machine:
        print_json(finite({"ok": True, **as_json(found, facts(), rivals, clock), "missing": missing}))
        return
    for count, findings in rivals:
        click.echo("\n".join(screen(found, facts(), count, findings)))


def _listed(text: str, known: tuple[str, ...], option: str) -> list[str]:
    """The names in a list with commas, each once."""
    names = list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    for name in names:
        if name not in known:
            raise click.BadParameter(f"{name!r} is none of {', '.join(known)}", param_hint=option)
    return names


def _counts(text: str) -> list[int]:
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() and int(part) for part in parts):
        raise click.BadParameter(f"expected whole numbers from 1 with commas, found {text!r}", param_hint="--threads")
    return list(dict.fromkeys(map(int, parts)))


def _written(pairs: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for pair in pairs:
        name, sign, path = pair.partition("=")
        if not sign or name not in ("torch", "jax") or not Path(path).is_file():
            raise click.BadParameter(f"expected torch=FILE.py or jax=FILE.py, found {pair!r}", param_hint="--peers")
        found[name] = str(Path(path).resolve())
    return found


def _present(names: tuple[str, ...]) -> tuple[list[str], dict[str, str]]:
    """The contenders whose package is installed, and the packages of the others."""
    from importlib.util import find_spec

    from ..bench.job import KINDS

    missing = {name: KINDS[name].package for name in names if find_spec(KINDS[name].package) is None}
    return [name for name in names if name not in missing], missing
