"""The arrays of an npz file to columns, without pickles and without files that unpack to far more than they are."""

from __future__ import annotations

import math
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO

import numpy as np
from numpy.lib import format as npy

from ..errors import DataError, FileError, quoted
from ..files import open_regular
from .values import DataFile, Field, Source, word_of

_BOMB_BYTES, _BOMB_RATIO = 64 * 2**20, 100  # beyond both, an archive is taken for a decompression bomb


def look(path: Path) -> DataFile:
    """The file with its arrays, whose first axis counts the rows, by their headers.

    Loading gives integers, floats (all finite) and truths as they are, and as texts whatever can be written out.
    """
    with _archive(path) as archive:
        fields = {name: _field(str(path), name, *_header(path, archive, name)) for name in _names(path, archive)}

    def load(numbers: Sequence[str], texts: Sequence[str]) -> Source:
        with _archive(path) as archive:
            arrays = {name: _array(path, archive, name) for name in (*numbers, *texts)}
        return _source(str(path), arrays, numbers, texts, home=path.parent)

    return DataFile(str(path), fields, load)


def in_memory(arrays: Mapping[str, np.ndarray], name: str = "arrays") -> DataFile:
    """Arrays at hand as if they came from a file; `name` is what errors call it."""
    plain = {key: np.asarray(array) for key, array in arrays.items()}
    fields = {key: _field(name, key, array.shape, array.dtype) for key, array in plain.items()}
    return DataFile(name, fields, partial(_source, name, plain))


def _source(
    file: str,
    arrays: Mapping[str, np.ndarray],
    numbers: Sequence[str],
    texts: Sequence[str],
    home: Path | None = None,
) -> Source:
    lengths = {name: len(arrays[name]) for name in (*numbers, *texts)}
    rows = next(iter(lengths.values()))
    for name, length in lengths.items():
        if length != rows:
            problem = f"found {length} rows, `{next(iter(lengths))}` has {rows}"
            raise DataError("ragged-arrays", problem, "all arrays need the same", file=file, column=name)
    if not rows:
        raise DataError("no-rows", "has arrays without rows", "add rows", file=file)
    for name in numbers:
        _check_numbers(file, name, arrays[name])
    columns = {name: _as_text(file, name, arrays[name]) for name in texts}
    return Source(file, rows, {name: arrays[name] for name in numbers}, columns, home=home)


@contextmanager
def _archive(path: Path) -> Iterator[zipfile.ZipFile]:
    try:
        with open_regular(path) as file, zipfile.ZipFile(file) as archive:
            yield archive
    except OSError as error:
        raise FileError("cannot-read", f"cannot be read: {error.strerror or error}", path=path) from None
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        problem = f"is no npz file, or is damaged: {error}"
        raise DataError("bad-npz", problem, "write it again with numpy.savez", file=str(path)) from None


def _names(path: Path, archive: zipfile.ZipFile) -> list[str]:
    entries = [entry for entry in archive.infolist() if entry.filename.endswith(".npy")]
    names = [entry.filename.removesuffix(".npy") for entry in entries]
    for name in names:
        if names.count(name) > 1:
            raise DataError("duplicate-column", "found the name twice", file=str(path), column=name)
    unpacked = sum(entry.file_size for entry in entries)
    packed = path.stat().st_size
    if unpacked > _BOMB_BYTES and unpacked > _BOMB_RATIO * packed:
        problem = f"would unpack {packed} bytes to {unpacked}"
        raise DataError("unpacks-too-far", problem, "store it with numpy.savez, unpacked", file=str(path))
    if not names:
        raise DataError("empty-file", "holds no arrays", file=str(path))
    return names


def _header(path: Path, archive: zipfile.ZipFile, name: str) -> tuple[tuple[int, ...], np.dtype]:
    """Shape and type that the array declares, which agree with the bytes that it has."""
    with archive.open(f"{name}.npy") as file:
        shape, dtype = _parse(path, name, file)
        size = archive.getinfo(f"{name}.npy").file_size - file.tell()
    if dtype.hasobject:
        problem = "found pickled Python objects, which are never loaded"
        raise DataError("pickled", problem, "save numbers or fixed-width text", file=str(path), column=name)
    if math.prod(shape) * dtype.itemsize != size:
        problem = f"declares {shape} of {dtype}, {math.prod(shape) * dtype.itemsize} bytes, but has {size}"
        raise DataError("bad-npz", problem, "write it again with numpy.savez", file=str(path), column=name)
    return shape, dtype


def _parse(path: Path, name: str, file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype]:
    try:
        readers = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
        shape, _, dtype = readers[npy.read_magic(file)](file)
    except (KeyError, ValueError, SyntaxError, RecursionError, MemoryError):
        raise DataError("bad-npz", "has no header of an array", file=str(path), column=name) from None
    return shape, dtype


def _field(file: str, name: str, shape: tuple[int, ...], dtype: np.dtype) -> Field:
    word = word_of(dtype)
    if word is None:
        known = "expected integers, floats, truths or text"
        raise DataError("wrong-type", f"found {dtype}, {known}", file=file, column=name)
    if not shape:
        raise DataError("no-rows", "found a single value, expected rows", file=file, column=name)
    return Field("f32" if word == "f64" else word, shape[1:])


def _array(path: Path, archive: zipfile.ZipFile, name: str) -> np.ndarray:
    _header(path, archive, name)
    with archive.open(f"{name}.npy") as file:
        array: np.ndarray = npy.read_array(file, allow_pickle=False)
    return array


def _check_numbers(file: str, name: str, array: np.ndarray) -> None:
    if word_of(array.dtype) in (None, "text"):
        found = quoted(str(array.flat[0])) if array.size else str(array.dtype)
        problem = f"found {found}, expected a number"
        raise DataError("not-a-number", problem, "for text use `classes`", file=file, row=0, column=name, unit="row")
    if array.dtype.kind == "f" and not (finite := np.isfinite(array)).all():
        row, *inner = (int(i) for i in np.unravel_index(int(np.argmin(finite)), array.shape))
        position = f" at {inner}" if inner else ""
        problem = f"found {array[(row, *inner)]}{position}, expected a finite number"
        advice = "fill it in, or drop the row"
        raise DataError("not-finite", problem, advice, file=file, row=row, column=name, unit="row")


def _as_text(file: str, name: str, array: np.ndarray) -> list[str]:
    if array.ndim != 1:
        problem = f"found rows of shape {array.shape[1:]}, expected one text or number in each"
        raise DataError("wrong-shape", problem, file=file, row=0, column=name, unit="row")
    try:
        return [item.decode() if isinstance(item, bytes) else str(item) for item in array.tolist()]
    except UnicodeDecodeError:
        raise DataError("not-utf-8", "found bytes that are not UTF-8", file=file, column=name) from None
