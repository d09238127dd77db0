"""Named arrays and texts to and from one file: a valid safetensors file, with NumPy alone.

The file is the length of a header (8 bytes, little-endian), the header (JSON: for each name a dtype, a shape and a
range of bytes, and `__metadata__`, a table of texts) and the bytes of the arrays, one after the other. Ours carry a
digest of header and bytes among the texts, so that a damaged file is refused; files of others need none.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from . import files
from .errors import FileError, quoted

DTYPES = {
    "BOOL": "?",
    "U8": "u1",
    "I8": "i1",
    "U16": "<u2",
    "I16": "<i2",
    "F16": "<f2",
    "U32": "<u4",
    "I32": "<i4",
    "F32": "<f4",
    "U64": "<u8",
    "I64": "<i8",
    "F64": "<f8",
}
_NAMES = {np.dtype(dtype): name for name, dtype in DTYPES.items()}
_BF16 = "BF16"  # NumPy has no such dtype: read as the f32 that it is the upper half of, never written
_METADATA = "__metadata__"
_DIGEST = "axonc.sha256"
_LONGEST_HEADER = 100_000_000
_MOST_DIMENSIONS = 64  # what NumPy can hold


def write(path: Path, arrays: Mapping[str, np.ndarray], metadata: Mapping[str, str]) -> None:
    """Put `arrays` and `metadata` into `path`, durably and whole: on any failure, a FileError, the old file stays."""
    plain = {name: _plain(path, name, array) for name, array in arrays.items()}
    # Widest items first: then every array begins at a multiple of its item size, and readers need no copy.
    stored = sorted(plain, key=lambda name: -plain[name].itemsize)
    ranges: dict[str, list[int]] = {}
    end = 0
    for name in stored:
        ranges[name] = [end, end := end + plain[name].nbytes]
    table = {
        name: {"dtype": _NAMES[array.dtype], "shape": list(array.shape), "data_offsets": ranges[name]}
        for name, array in plain.items()
    }
    data = [_bytes(plain[name]) for name in stored if plain[name].size]
    texts = {**metadata, _DIGEST: _digest(table, metadata, data)}
    header = json.dumps({_METADATA: texts, **table}).encode()
    header += b" " * (-len(header) % 8)
    if len(header) > _LONGEST_HEADER:
        raise _fault(path, f"cannot be written: its header would have {len(header)} bytes, the limit is 100 MB")
    files.replace(path, [len(header).to_bytes(8, "little"), header, *data])


def read(path: Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """The arrays and texts in `path`, in the order of its header. The arrays are writable views of one buffer.

    Anything that the format forbids is a FileError: lengths that disagree, ranges that overlap or leave holes, unknown
    dtypes, names that occur twice, truths that are neither 0 nor 1, and for files with a digest any change at all.
    """
    header, data = _load(path)
    metadata = _texts(path, header.pop(_METADATA, {}))
    _check_ranges(path, header, len(data))
    digest = metadata.pop(_DIGEST, None)
    if digest is not None and digest != _digest(header, metadata, [data]):
        raise _fault(path, "is damaged: its contents do not agree with its digest", "use another copy of it")
    return {name: _array(path, name, entry, data) for name, entry in header.items()}, metadata


def _plain(path: Path, name: str, array: np.ndarray) -> np.ndarray:
    """The array as it is stored: contiguous and little-endian."""
    little = array.dtype.newbyteorder("<") if array.dtype.byteorder == ">" else array.dtype
    if little not in _NAMES:
        known = ", ".join(sorted(str(dtype) for dtype in _NAMES))
        raise _fault(path, f"cannot hold array {quoted(name)} of type {array.dtype}, only {known}")
    if name == _METADATA:
        raise _fault(path, f"cannot hold an array called {quoted(name)}: the format keeps that name")
    return np.asarray(array, dtype=little, order="C")


def _bytes(array: np.ndarray) -> memoryview:
    return array.reshape(-1).view(np.uint8).data


def _digest(table: Mapping[str, Any], metadata: Mapping[str, str], data: list[Any]) -> str:
    digest = hashlib.sha256(json.dumps([table, dict(metadata)], sort_keys=True).encode())
    for part in data:
        digest.update(part)
    return digest.hexdigest()


def _load(path: Path) -> tuple[dict[str, Any], np.ndarray]:
    """The parsed header and the bytes after it."""
    try:
        with files.open_regular(path) as file:
            size = os.fstat(file.fileno()).st_size
            length = int.from_bytes(file.read(8), "little")
            if size < 8 or length > size - 8:
                raise _fault(path, f"is not a safetensors file, or is cut short: it has {size} bytes")
            if length > _LONGEST_HEADER:
                raise _fault(path, f"has a header of {length} bytes, the limit is 100 MB")
            header = _parse(path, file.read(length))
            data = np.empty(size - 8 - length, np.uint8)
            if file.readinto(data.data) != len(data):
                raise _fault(path, "changed while it was read", "try again")
    except OSError as error:
        raise FileError("cannot-read", f"cannot be read: {error.strerror or error}", path=path) from None
    return header, data


def _parse(path: Path, text: bytes) -> dict[str, Any]:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        table = dict(pairs)
        if len(table) < len(pairs):
            twice = next(name for i, (name, _) in enumerate(pairs) if name in dict(pairs[:i]))
            raise _fault(path, f"has the name {quoted(twice)} twice in its header")
        return table

    try:
        header = json.loads(text.decode(), object_pairs_hook=unique) if text[:1] == b"{" else None
    except (ValueError, RecursionError):
        header = None
    if not isinstance(header, dict):
        raise _fault(path, "is not a safetensors file: its header is no JSON object")
    return header


def _texts(path: Path, metadata: object) -> dict[str, str]:
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise _fault(path, f"has a {_METADATA} that is not a table of texts")
    return metadata


def _check_ranges(path: Path, header: Mapping[str, Any], size: int) -> None:
    """Every entry is well formed, and together they cover the `size` bytes of data exactly once."""
    for name, entry in header.items():
        _check_entry(path, name, entry)
    end = 0
    for name, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        start, stop = entry["data_offsets"]
        if start != end:
            what = "overlaps another" if start < end else "leaves a hole before it"
            raise _fault(path, f"has an array {quoted(name)} that {what}: it begins at byte {start}, expected {end}")
        end = stop
    if end != size:
        raise _fault(path, f"has {size} bytes of arrays, its header says {end}", "the file may be cut short")


def _check_entry(path: Path, name: str, entry: Any) -> None:
    where = f"has an array {quoted(name)}"
    if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
        raise _fault(path, f"{where} whose entry is not dtype, shape and data_offsets")
    if not isinstance(entry["dtype"], str) or entry["dtype"] not in {*DTYPES, _BF16}:
        raise _fault(path, f"{where} of type {quoted(str(entry['dtype']))}, expected one of {', '.join(DTYPES)}, BF16")
    shape, offsets = entry["shape"], entry["data_offsets"]
    if not _counts(shape) or not _counts(offsets) or len(offsets) != 2 or len(shape) > _MOST_DIMENSIONS:
        raise _fault(path, f"{where} whose shape or data_offsets are not lists of whole numbers")
    extent = _itemsize(entry["dtype"]) * math.prod(size for size in shape if size)
    needed = extent if all(shape) else 0
    if extent >= 2**63 or offsets[1] - offsets[0] != needed:
        raise _fault(path, f"{where} of {needed} bytes by its shape, {offsets[1] - offsets[0]} by its data_offsets")


def _counts(value: object) -> bool:
    return isinstance(value, list) and all(type(item) is int and 0 <= item < 2**63 for item in value)


def _itemsize(name: str) -> int:
    return 2 if name == _BF16 else np.dtype(DTYPES[name]).itemsize


def _array(path: Path, name: str, entry: Mapping[str, Any], data: np.ndarray) -> np.ndarray:
    start, stop = entry["data_offsets"]
    dtype = np.dtype(np.uint16 if entry["dtype"] == _BF16 else DTYPES[entry["dtype"]])
    array = np.ndarray(entry["shape"], dtype, data.data, start) if stop > start else np.empty(entry["shape"], dtype)
    if entry["dtype"] == "BOOL" and (data[start:stop] > 1).any():
        raise _fault(path, f"has an array {quoted(name)} of truths that are neither 0 nor 1")
    if entry["dtype"] == _BF16:
        return (array.astype(np.uint32) << 16).view(np.float32)
    return array if array.flags.aligned else array.copy()


def _fault(path: Path, problem: str, help: str = "") -> FileError:
    return FileError("bad-archive", problem, help, path=path)
