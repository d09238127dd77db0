"""`axonc export`: a run or a spec -> an ONNX file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from .options import allow_option, examples, set_option, size_option

if TYPE_CHECKING:
    from ..program import Program


@click.command(
    epilog=examples(
        "axonc export runs/digits-1 digits.onnx",
        "axonc export net.axon net.onnx --set hidden=64",
    )
)
@click.argument("source", metavar="RUN|SPEC")
@click.argument("target", metavar="MODEL.onnx")
@click.option("--force", is_flag=True, help="Replace a file that is there already.")
@set_option
@size_option
@allow_option
def command(
    source: str, target: str, force: bool, overrides: dict[str, str], sizes: dict[str, int], allowed: tuple[str, ...]
) -> None:
    """Write a model as an ONNX file.

    It computes what the model predicts, with the best weights of a run, or the first ones of a spec. Inputs and
    outputs are those of the spec, data as its `data` section prepares them; an output that is called like an input
    gets `.output` behind its name. The number of samples stays open, and so does every size that is open in the spec.
    This needs the package onnx.
    """
    if Path(target).suffix != ".onnx":
        raise click.BadParameter(f"{target} does not end with .onnx", param_hint="MODEL.onnx")
    if Path(target).exists() and not force:
        raise click.UsageError(f"{target} is there already; --force replaces it")
    from ..exporting import export

    export(_program(source, overrides, sizes, allowed), Path(target))


def _program(source: str, overrides: dict[str, str], sizes: dict[str, int], allowed: tuple[str, ...]) -> Program:
    if not Path(source).is_dir():
        from ..program import compile as compile_spec

        return compile_spec(source, overrides=overrides, sizes=sizes, allowed=allowed)
    if overrides or sizes or allowed:
        raise click.UsageError("a run knows its constants, sizes and folders; --set, --size and --allow are for a spec")
    from .saved import trained

    return trained(Path(source))
