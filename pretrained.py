"""Weights that groups take from files: named arrays of safetensors files, checked against the weights of the spec."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .compiler.groups import Origin
from .compiler.ir.dims import Size
from .runtime import archive
from .spec.source import CompileError, Diagnostic
from .spec.suggest import nearest

if TYPE_CHECKING:
    import numpy as np

    from .specification import Specification


class MissingWeight(Diagnostic):
    """A file that lacks an array that a group wants of it."""

    code = "missing-weight"
    title = "`{file}` has no array `{name}` for the weight `{weight}`"
    label = "taken from here"
    help = "did you mean `{suggestion}`? `rename` says how weights are called in the file"
    file: str
    name: str
    weight: str
    suggestion: str = ""


class OtherShape(Diagnostic):
    """An array of another shape than the weight that it is for."""

    code = "shape-mismatch"
    title = "the array `{name}` does not fit the weight `{weight}`"
    label = "it has the shape {found}"
    notes = ("the weight has the shape {expected}",)
    name: str
    weight: str
    found: str
    expected: str


class OutsideFolder(Diagnostic):
    """A file of weights outside the folder of the spec."""

    code = "file-outside"
    title = "`{file}` is outside the folder of the spec"
    label = "only files in that folder are read"
    help = "put the file there, or allow its folder with `--allow FOLDER`"
    file: str


def pretrained(specification: Specification) -> dict[str, np.ndarray]:
    """The array of each weight and state that comes from a file.

    Raises CompileError with every array that is not there or does not fit, and FileError where a file cannot be read.
    """
    files: dict[str, dict[str, np.ndarray]] = {}
    found: dict[str, np.ndarray] = {}
    mistakes: list[Diagnostic] = []
    folders = [folder.resolve() for folder in (specification.folder, *specification.allowed)]
    variables = {**specification.parameters, **specification.states}
    for weight, origin in specification.origins.items():
        path = specification.folder / origin.file
        if not any(map(path.resolve().is_relative_to, folders)):
            raise CompileError((OutsideFolder(origin.place, origin.file),))
        if origin.file not in files:
            files[origin.file] = archive.read(path)[0]
        problem = _problem(weight, origin, variables[weight].type.shape, files[origin.file])
        if problem:
            mistakes.append(problem)
        else:
            found[weight] = files[origin.file][origin.name]
    if mistakes:
        raise CompileError(tuple(mistakes))
    return found


def _problem(weight: str, origin: Origin, shape: tuple[Size, ...], arrays: dict[str, np.ndarray]) -> Diagnostic | None:
    array = arrays.get(origin.name)
    if array is None:
        return MissingWeight(origin.place, origin.file, origin.name, weight, nearest(origin.name, arrays))
    if array.shape != shape:
        return OtherShape(origin.place, origin.name, weight, str(list(array.shape)), str(list(shape)))
    return None
