"""Numbers between which rounding to two bytes decides."""

import numpy as np

# Every upper half of f32 with lower halves around the middle, where a NaN or an infinity could be lost.
UPPER = np.arange(2**16, dtype=np.uint32)[:, None] << 16
EDGES = (UPPER | np.array([0, 1, 0x7FFF, 0x8000, 0x8001, 0xFFFF], np.uint32)).view(np.float32)
