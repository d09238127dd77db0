"""A program to a file in the vocabulary of others."""

from __future__ import annotations

from pathlib import Path

from .program import Program
from .runtime.errors import InputError
from .runtime.files import replace

MOST = 2**31 - 1  # bytes of one message of Protocol Buffers, in which ONNX is written


def export(program: Program, path: Path) -> None:
    """Writes what predict computes, with its weights, as an ONNX file: whole or not at all.

    Inputs and outputs have the names and sizes of the spec; sizes that are open there are open in the file. Raises
    CompileError with the place of each operation that ONNX has no word for.
    """
    try:
        from .compiler.exchange.onnx import model
    except ModuleNotFoundError as missing:
        if missing.name != "onnx":
            raise
        advice = "install it: `pip install onnx`"
        raise InputError(
            "no-onnx", "an ONNX file is written with the package onnx, which is not here", advice
        ) from None
    arrays = program.parameters | program.states | program.averages
    size = sum(array.nbytes for array in arrays.values())
    if size > MOST:
        raise InputError("too-large-for-onnx", f"one ONNX file holds 2 GB at most, the weights are {size / 1e9:.1f} GB")
    replace(path, [model(program.specification.phases.outputs, arrays, program.specification.name)])
