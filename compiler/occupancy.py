"""What a kernel takes of a processor -> how many of its warps the processor holds at once."""

from __future__ import annotations

from typing import NamedTuple

from ..runtime.plan import THREADS

WARP = 32  # threads
REGISTERS = 65536  # of a processor
GRAIN = 256  # registers that a warp is given at once
QUARTERS = 4  # parts of a processor, each with registers and warps of its own


class Architecture(NamedTuple):
    """What a processor of a compute capability holds: warps, blocks, and bytes of shared memory, of which each block
    takes `own` besides what its kernel asks for. In a cycle so many of its threads multiply and add, and so many begin
    to load or store."""

    capability: str
    warps: int
    blocks: int
    shared: int
    own: int = 1 << 10
    adding: int = 128
    loading: int = 32


def resident(registers: int, shared: int, of: Architecture) -> int:
    """The warps of a kernel that a processor holds at once: each of its threads takes so many registers, each block so
    many bytes of shared memory."""
    each = THREADS // WARP
    of_warp = -(-registers * WARP // GRAIN) * GRAIN
    by_registers = REGISTERS // of_warp // QUARTERS * QUARTERS // each if registers else of.blocks
    by_shared = of.shared // (shared + of.own) if shared + of.own else of.blocks
    return each * min(of.warps // each, of.blocks, by_registers, by_shared)
