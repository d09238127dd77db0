"""The functions of cuBLAS on a processor: each takes the arguments of C, refuses what cuBLAS refuses, and looks at
every address that it would touch before NumPy computes from the very bytes."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
from axonc.runtime.arrays import Array
from axonc.runtime.cupy.cublas import FUNCTIONS

INVALID, NOT_SUPPORTED, ALLOC_FAILED = 7, 15, 3
TYPES = {0: np.dtype(np.float32), 1: np.dtype(np.float64), 2: np.dtype(np.float16), 14: np.dtype(ml_dtypes.bfloat16)}
F32, F64, TF32 = 68, 70, 77  # cublasComputeType_t
COMPUTES = {TYPES[0]: (F32, TF32), TYPES[1]: (F64,), TYPES[2]: (F32,), TYPES[14]: (F32,)}
LEAST = 16 << 10  # bytes of a workspace below which cuBLAS may fail

Touches = Callable[[int, int], None]  # of a run of so many bytes from an address on; raises where that is outside
Ask = Callable[[int, Callable[[], None]], None]


class StandinCublas:
    """A handle. `touches` is told of each run of memory before it is read or written, `ask` asks a stream for work."""

    def __init__(self, touches: Touches, ask: Ask = lambda _, work: work()) -> None:
        self.touches = touches
        self.ask = ask
        self.stream: int | None = None
        self.workspace: tuple[int, int] | None = None
        self.products: list[tuple[Any, ...]] = []
        self.fault: BaseException | None = None

    def functions(self, name: str) -> Callable[..., int]:
        """A function of cuBLAS as C calls it."""
        ours = {
            "cublasCreate_v2": self.create,
            "cublasSetStream_v2": self.set_stream,
            "cublasSetMathMode": self.set_math_mode,
            "cublasSetWorkspace_v2": self.set_workspace,
            "cublasGemmEx": self.gemm,
            "cublasGemmStridedBatchedEx": self.batched_gemm,
        }
        return ctypes.CFUNCTYPE(ctypes.c_int, *FUNCTIONS[name])(self._guarded(ours[name]))

    def _guarded(self, function: Callable[..., int]) -> Callable[..., int]:
        """C knows no exceptions: what is raised is kept for whoever called."""

        def call(*arguments: Any) -> int:
            try:
                return function(*arguments)
            except BaseException as fault:
                self.fault = fault
                return INVALID

        return call

    def create(self, handle: Any) -> int:
        handle[0] = 1
        return 0

    def set_stream(self, handle: int, stream: int | None) -> int:
        assert handle == 1
        self.stream, self.workspace = stream or 0, None
        return 0

    def set_math_mode(self, handle: int, mode: int) -> int:
        assert handle == 1
        assert mode == 16, "sums of halves may be rounded on the way"
        return 0

    def set_workspace(self, handle: int, address: int, size: int) -> int:
        assert handle == 1
        if address % 256:
            return INVALID
        self.touches(address, size)
        self.workspace = address, size
        return 0

    def gemm(self, *arguments: Any) -> int:
        handle, ta, tb, m, n, k, alpha, a, at, lda, b, bt, ldb, beta, c, ct, ldc, compute, algorithm = arguments
        given = (handle, ta, tb, m, n, k, alpha, a, at, lda, 0, b, bt, ldb, 0, beta, c, ct, ldc, 0, 1)
        return self.batched_gemm(*given, compute, algorithm)

    def batched_gemm(self, *arguments: Any) -> int:
        handle, ta, tb, m, n, k, alpha, a, at, lda, sa, b, bt, ldb, sb, beta, c, ct, ldc, sc, count, compute, _ = (
            arguments
        )
        assert handle == 1
        assert self.stream is not None
        assert self.workspace is not None, "it would take memory of its own"
        self.products.append(arguments)
        size_a, size_b = ((k, m) if ta else (m, k)), ((n, k) if tb else (k, n))
        short = any(leading < max(1, rows) for leading, rows in ((lda, size_a[0]), (ldb, size_b[0]), (ldc, m)))
        if ta not in (0, 1) or tb not in (0, 1) or min(m, n, k, count) < 0 or short:
            return INVALID
        if not at == bt == ct or compute not in COMPUTES[TYPES[ct]]:
            return NOT_SUPPORTED
        if self.workspace[1] < LEAST:
            return ALLOC_FAILED
        scale = ctypes.c_double if compute == F64 else ctypes.c_float
        alpha, beta = (scale.from_address(x).value for x in (alpha, beta))
        workspace = self.workspace

        def work() -> None:
            ctypes.memset(workspace[0], 0xAB, workspace[1])  # whoever keeps something there finds out
            for i in range(count):
                x, y, z = (
                    self._matrix(start, TYPES[kind], i * step, leading, size)
                    for start, kind, step, leading, size in (
                        (a, at, sa, lda, size_a),
                        (b, bt, sb, ldb, size_b),
                        (c, ct, sc, ldc, (m, n)),
                    )
                )
                x, y = (multiplied(operand.T if turned else operand, compute) for operand, turned in ((x, ta), (y, tb)))
                kept = beta * z.astype(x.dtype) if beta else 0  # what lies there is not looked at otherwise
                with np.errstate(all="ignore"):
                    z[...] = (alpha * (x @ y) + kept).astype(z.dtype)

        self.ask(self.stream, work)
        return 0

    def _matrix(self, address: int, dtype: np.dtype[Any], offset: int, leading: int, size: tuple[int, int]) -> Array:
        """A matrix column by column, as the memory that it is."""
        rows, columns = size
        start = address + offset * dtype.itemsize
        for j in range(columns):
            self.touches(start + j * leading * dtype.itemsize, rows * dtype.itemsize)
        length = ((columns - 1) * leading + rows) * dtype.itemsize if rows and columns else 0
        raw = np.frombuffer((ctypes.c_char * length).from_address(start), dtype)
        return np.lib.stride_tricks.as_strided(raw, size, (dtype.itemsize, leading * dtype.itemsize))


def multiplied(x: Array, compute: int) -> Array:
    """An operand as it is multiplied: f64 as it is, all else as f32, of which TF32 keeps 10 bits after the point."""
    if compute == F64:
        return x
    wide = np.array(x, np.float32)
    if compute == TF32:
        bits = wide.view(np.uint32)
        wide = ((bits + np.uint32(0x1000)) & np.uint32(0xFFFFE000)).view(np.float32)
    return wide
