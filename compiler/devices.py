"""GPUs by name: what their makers publish, as far as predictions need it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from .ir.types import BF16, F16, F32, F64, DType
from .occupancy import Architecture


class Device(NamedTuple):
    """Peaks without sparsity: FLOP/s of products by the type of their operands, where f16 and bf16 go to tensor cores
    and are added up in f32; of those of f32 in `tf32`; of all other arithmetic in `scalar`; bytes of memory and cache,
    bytes/s. `architecture` is what a processor holds."""

    title: str
    processors: int
    products: Mapping[DType, float]
    tf32: float
    scalar: Mapping[DType, float]
    bandwidth: float
    memory: int
    cache: int
    architecture: Architecture
    source: str


def _device(
    title: str,
    processors: int,
    f32: float,
    f64: float,
    halves: tuple[float, float],
    tf32: float,
    bandwidth: float,
    memory: int,
    cache: int,
    architecture: Architecture,
    source: str,
) -> Device:
    """Peaks in TFLOP/s, of f16 and bf16 on tensor cores as a pair, then of TF32; bandwidth in GB/s, memory in GB, cache
    in MiB."""
    scalar = {F32: f32 * 1e12, F64: f64 * 1e12}
    f16, bf16 = halves
    products = {**scalar, F16: f16 * 1e12, BF16: bf16 * 1e12}
    sizes = (bandwidth * 1e9, memory * 10**9, cache << 20)
    return Device(title, processors, products, tf32 * 1e12, scalar, *sizes, architecture, source)


# CUDA C++ Programming Guide, technical specifications for each compute capability; Tuning Guides of the architectures;
# their whitepapers for what they load.
TURING = Architecture("75", 32, 16, 64 << 10, own=0, adding=64, loading=16)
AMPERE = Architecture("80", 64, 32, 164 << 10, adding=64)
ADA = Architecture("89", 48, 24, 100 << 10, loading=16)
HOPPER = Architecture("90", 64, 32, 228 << 10)

_H100 = "NVIDIA H100 Tensor Core GPU datasheet, architecture whitepaper"
# The data sheet of the H200 rounds its peaks, those of the chip of the H100, and gives tensor cores with sparsity.
_H200 = "NVIDIA H200 Tensor Core GPU datasheet, H100 architecture whitepaper"
_A100 = "NVIDIA A100 Tensor Core GPU datasheet, architecture whitepaper"
_ADA = "NVIDIA Ada GPU architecture whitepaper"
DEVICES: Mapping[str, Device] = {
    "h200": _device("H200 SXM", 132, 66.9, 33.5, (989.4, 989.4), 494.7, 4800, 141, 50, HOPPER, _H200),
    "h100": _device("H100 SXM5 80 GB", 132, 66.9, 33.5, (989.4, 989.4), 494.7, 3350, 80, 50, HOPPER, _H100),
    "a100": _device("A100 SXM4 80 GB", 108, 19.5, 9.7, (312, 312), 156, 2039, 80, 40, AMPERE, _A100),
    "rtx4090": _device("GeForce RTX 4090", 128, 82.6, 1.29, (165.2, 165.2), 82.6, 1008, 24, 72, ADA, _ADA),
    "l4": _device("L4", 58, 30.3, 0.49, (121, 121), 60.5, 300, 24, 48, ADA, "NVIDIA L4 datasheet, Ada whitepaper"),
    # Turing has no tensor cores for bf16 and TF32: their products are those of f32.
    "t4": _device("T4", 40, 8.1, 0.25, (65, 8.1), 8.1, 320, 16, 4, TURING, "NVIDIA T4 datasheet, Turing whitepaper"),
}
