"""NVIDIA's compiler of kernels, which needs no driver: text to machine code, and what each kernel takes."""

from __future__ import annotations

import ctypes
import importlib.util
import re
from ctypes import byref, c_char_p, c_size_t, c_void_p, create_string_buffer
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest
from axonc.runtime.cupy.nvidia import COMMENT, OPTIONS

REPORT = re.compile(
    r"Compiling entry function '(\w+)' for '\w+'.*?(\d+) bytes spill stores, (\d+) bytes spill loads"
    r".*?Used (\d+) registers(?:[^\n]*?(\d+) bytes smem)?",
    re.DOTALL,
)
# What a kernel may take, by compute capability: registers of a thread, bytes of shared memory of a block.
LIMITS = {"75": (255, 48 << 10), "80": (255, 48 << 10), "90": (255, 48 << 10), "100": (255, 48 << 10)}
REGISTERS = 65536  # of a multiprocessor, for all its threads


class Use(NamedTuple):
    """What a kernel takes: registers of each thread, bytes of shared memory, bytes that did not fit into registers."""

    registers: int
    shared: int
    spilled: int


def _found() -> Path | None:
    for folder in ("nvidia/cuda_nvrtc/lib", "nvidia/cu13/lib"):
        spec = importlib.util.find_spec("nvidia")
        for base in spec.submodule_search_locations or () if spec else ():
            some = sorted(Path(base).parent.glob(f"{folder}/libnvrtc.so.*"))
            if some:
                return some[0]
    return None


LIBRARY = _found()
needs_nvrtc = pytest.mark.skipif(LIBRARY is None, reason="NVRTC is not installed (pip install '.[cuda-test]')")


@cache
def _nvrtc() -> ctypes.CDLL:
    assert LIBRARY is not None
    return ctypes.CDLL(str(LIBRARY))


@cache
def compiled(text: str, architecture: str) -> dict[str, Use]:
    """What the kernels of a text take as machine code of an architecture. Fails with what the compiler says."""
    nvrtc, program = _nvrtc(), c_void_p()
    bare = COMMENT.sub("", text).encode()
    assert nvrtc.nvrtcCreateProgram(byref(program), bare, b"kernels.cu", 0, None, None) == 0
    options = [f"--gpu-architecture=sm_{architecture}", "--ptxas-options=-v", *OPTIONS]
    given = (c_char_p * len(options))(*(o.encode() for o in options))
    result = nvrtc.nvrtcCompileProgram(program, len(options), given)
    size = c_size_t()
    nvrtc.nvrtcGetProgramLogSize(program, byref(size))
    log = create_string_buffer(size.value)
    nvrtc.nvrtcGetProgramLog(program, log)
    said = log.value.decode()
    assert result == 0, said[:4000]
    assert nvrtc.nvrtcGetCUBINSize(program, byref(size)) == 0
    assert size.value > 0
    nvrtc.nvrtcDestroyProgram(byref(program))
    return {n: Use(int(r), int(s or 0), int(a) + int(b)) for n, a, b, r, s in REPORT.findall(said)}
