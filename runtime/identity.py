"""What computes here: versions, the BLAS library that NumPy calls, its kernel and its threads."""

from __future__ import annotations

import ctypes
import platform
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

_PREFIXES = ("scipy_openblas_", "openblas_")  # NumPy's wheels rename the symbols of their own copy
_SUFFIXES = ("64_", "", "_64")


def identity() -> dict[str, Any]:
    """What a result depends on besides spec and data: results can be equal only where this is."""
    return {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "machine": platform.machine(),
        "system": platform.system(),
        "blas": blas(),
    }


def blas() -> dict[str, Any]:
    """Name, version, kernel and threads of NumPy's BLAS, as far as it tells."""
    built = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    found: dict[str, Any] = {"name": built.get("name"), "version": built.get("version")}
    for library in _libraries():
        kernel, threads = _function(library, "get_corename"), _function(library, "get_num_threads")
        if kernel and threads:
            kernel.restype = ctypes.c_char_p
            return {**found, "kernel": kernel().decode(), "threads": threads()}
    return found


def _libraries() -> Iterator[ctypes.CDLL]:
    """The OpenBLAS libraries of this process, NumPy's own first."""
    with suppress(OSError):
        lines = Path("/proc/self/maps").read_text().splitlines()
        paths = {line.split(maxsplit=5)[5] for line in lines if "openblas" in line}
        for path in sorted(paths, key=lambda path: "numpy" not in path):
            yield ctypes.CDLL(path)


def _function(library: ctypes.CDLL, name: str) -> Any:
    names = (f"{prefix}{name}{suffix}" for prefix in _PREFIXES for suffix in _SUFFIXES)
    return next((getattr(library, name) for name in names if hasattr(library, name)), None)
