"""Products of matrices by cuBLAS, in the library that CuPy loads.

CuPy's own calls set the stream each time, which makes cuBLAS forget its workspace, and refuse to be kept in a graph; so
the library is called by its C functions.
"""

from __future__ import annotations

from collections.abc import Callable
from ctypes import CFUNCTYPE, POINTER, byref, c_double, c_float, c_int, c_longlong, c_size_t, c_void_p
from typing import Any, NamedTuple, TypeAlias

from .device import Product

# The functions with the types of their arguments, as `cublas_api.h` declares them.
_SIZES = (c_void_p, c_int, c_int, c_int, c_int, c_int)
FUNCTIONS: dict[str, tuple[Any, ...]] = {
    "cublasCreate_v2": (POINTER(c_void_p),),
    "cublasSetStream_v2": (c_void_p, c_void_p),
    "cublasSetMathMode": (c_void_p, c_int),
    "cublasSetWorkspace_v2": (c_void_p, c_void_p, c_size_t),
    "cublasGemmEx": (
        *(*_SIZES, c_void_p),
        *(c_void_p, c_int, c_int),
        *(c_void_p, c_int, c_int, c_void_p),
        *(c_void_p, c_int, c_int),
        *(c_int, c_int),
    ),
    "cublasGemmStridedBatchedEx": (
        *(*_SIZES, c_void_p),
        *(c_void_p, c_int, c_int, c_longlong),
        *(c_void_p, c_int, c_int, c_longlong, c_void_p),
        *(c_void_p, c_int, c_int, c_longlong),
        *(c_int, c_int, c_int),
    ),
}
Functions: TypeAlias = "Callable[[str], Callable[..., int]]"
ALIGNMENT = 256  # of a workspace
DEFAULT = -1  # the algorithm that cuBLAS chooses
WIDE_SUMS = 16  # CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION: what is added up of halves stays f32


class Kind(NamedTuple):
    """The number of a type (`cudaDataType`), that of the arithmetic (`cublasComputeType_t`), and what alpha and beta
    are."""

    type: int
    compute: int
    scale: Any


KINDS = {
    "f32": Kind(0, 68, c_float),
    "f64": Kind(1, 70, c_double),
    "f16": Kind(2, 68, c_float),
    "bf16": Kind(14, 68, c_float),
}
TF32 = 77  # CUBLAS_COMPUTE_32F_FAST_TF32


class CublasError(RuntimeError):
    """What cuBLAS refused: our fault, or that of the driver."""


class Cublas:
    """cuBLAS on one stream. `functions` finds those of `FUNCTIONS` by name."""

    def __init__(self, functions: Functions, stream: int) -> None:
        self._functions = {name: functions(name) for name in FUNCTIONS}
        handle = c_void_p()
        self._call("cublasCreate_v2", byref(handle))
        self._handle = handle
        self._call("cublasSetStream_v2", handle, stream)
        self._call("cublasSetMathMode", handle, WIDE_SUMS)

    def multiply(self, p: Product) -> None:
        """Asks for a product, whose sums are of f32 at least."""
        start = -(-p.workspace // ALIGNMENT) * ALIGNMENT
        self._call("cublasSetWorkspace_v2", self._handle, start, p.workspace + p.bytes - start)
        (a, b, c), batched = ((x.address, KINDS[x.dtype].type, x.leading) for x in (p.a, p.b, p.c)), p.batch > 1
        kind = KINDS[p.c.dtype]
        compute = TF32 if p.tf32 else kind.compute
        one, zero = kind.scale(1), kind.scale(0)
        sizes = int(p.a.turned), int(p.b.turned), p.m, p.n, p.k, byref(one)
        if not batched:
            self._call("cublasGemmEx", self._handle, *sizes, *a, *b, byref(zero), *c, compute, DEFAULT)
            return
        steps = p.a.step, p.b.step, p.c.step
        self._call(
            "cublasGemmStridedBatchedEx",
            *(self._handle, *sizes, *a, steps[0], *b, steps[1], byref(zero), *c, steps[2]),
            *(p.batch, compute, DEFAULT),
        )

    def _call(self, name: str, *arguments: Any) -> None:
        status = self._functions[name](*arguments)
        if status:
            raise CublasError(f"{name} gives {status}")


def functions_of(library: Any) -> Functions:
    """The functions of a loaded library."""
    return lambda name: CFUNCTYPE(c_int, *FUNCTIONS[name])((name, library))
