"""NVIDIA's compiler of kernels, which needs no driver: text to machine code, and what it takes of a processor."""

from __future__ import annotations

import ctypes
import os
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from ctypes import byref, c_char_p, c_size_t, c_void_p, create_string_buffer
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from ..plan import Unit
from .nvidia import COMMENT, OPTIONS

REPORT = re.compile(
    r"Compiling entry function '(\w+)' for '\w+'.*?(\d+) bytes spill stores, (\d+) bytes spill loads"
    r".*?Used (\d+) registers(?:[^\n]*?(\d+) bytes smem)?",
    re.DOTALL,
)
FOLDERS = ("nvidia/cuda_nvrtc/lib", "nvidia/cu13/lib")  # of Python packages


class Use(NamedTuple):
    """What a kernel takes: registers of each thread, bytes of shared memory, bytes that did not fit into registers."""

    registers: int
    shared: int
    spilled: int


@cache
def found() -> ctypes.CDLL | None:
    """The library, where a Python package brought it."""
    spec = find_spec("nvidia")
    for base in spec.submodule_search_locations or () if spec else ():
        for folder in FOLDERS:
            for path in sorted(Path(base).parent.glob(f"{folder}/libnvrtc.so.*")):
                return ctypes.CDLL(str(path))
    return None


def uses(units: Sequence[Unit], capability: str) -> dict[str, Use]:
    """What the kernels of some texts take as machine code for a compute capability, such as "80"."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        made = pool.map(lambda unit: compiled(unit.text, capability), units)
    return {name: use for some in made for name, use in some.items()}


@cache
def compiled(text: str, capability: str) -> dict[str, Use]:
    """What the kernels of a text take. Fails with what the compiler says, where there is one."""
    nvrtc, program = found(), c_void_p()
    assert nvrtc is not None
    bare = COMMENT.sub("", text).encode()
    assert nvrtc.nvrtcCreateProgram(byref(program), bare, b"kernels.cu", 0, None, None) == 0
    options = [f"--gpu-architecture=sm_{capability}", "--ptxas-options=-v", *OPTIONS]
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
