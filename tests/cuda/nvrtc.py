"""What tests ask of NVIDIA's compiler of kernels: whether it is there, and what kernels may take."""

from __future__ import annotations

import pytest
from axonc.runtime.cupy.nvrtc import Use as Use
from axonc.runtime.cupy.nvrtc import compiled as compiled
from axonc.runtime.cupy.nvrtc import found

# What a kernel may take, by compute capability: registers of a thread, bytes of shared memory of a block.
LIMITS = {"75": (255, 48 << 10), "80": (255, 48 << 10), "90": (255, 48 << 10), "100": (255, 48 << 10)}
REGISTERS = 65536  # of a multiprocessor, for all its threads
needs_nvrtc = pytest.mark.skipif(found() is None, reason="NVRTC is not installed (pip install '.[cuda-test]')")
