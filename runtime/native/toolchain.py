"""The C compiler of this machine, what the processor has, and the options that code is compiled with."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sys
from collections.abc import Iterator
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from . import jobs, processor
from .errors import CompilationFailed, NoCompiler
from .jobs import Job
from .store import Store

FLAGS = (
    "-O2 -std=gnu11 -fPIC -ffp-contract=fast -fno-math-errno -fno-trapping-math -fvisibility=hidden -pthread -w"
).split()
WIDE = ("-mprefer-vector-width=512",)  # compilers prefer half of it
WELCOME = ("-fopenmp-simd",)  # this and WIDE are what not every compiler knows
NATIVE = ("-march=native",), ("-mcpu=native",), ()  # the first that a compiler knows
SECONDS = 60.0  # for questions, which take milliseconds; ziglang builds its own runtime at the first
LANES = {"__AVX512F__": (16, 32), "__AVX2__": (8, 16), "__ARM_NEON": (4, 32)}  # f32 in a vector, vector registers

# A product of vectors by scalars, as in all that is compiled, a sum that wraps, and a number that is not normal.
CHECK = """
#include <math.h>
#include <stdio.h>
#include <string.h>
typedef float vector __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
static float a[8 * LANES], b[8 * LANES];
static volatile float tiny = 0x1p-140f, two = 2.0f;
static __attribute__((noinline)) void product(const float *restrict x, const float *restrict y, float *restrict z) {
  vector sum = {0};
  for (int i = 0; i < 8; i++) sum += x[i] * *(const vector *)(y + i * LANES);
  *(vector *)z = sum;
}
int main(void) {
  float out[LANES];
  for (int i = 0; i < 8 * LANES; i++) { a[i] = (float)(i - 3); b[i] = (float)(i % 7); }
  product(a, b, out);
  for (int i = 0; i < LANES; i++) printf("%g ", out[i]);
  printf("%g %d %g\\n", tiny * two, isnan(tiny * (two - 2.0f) / (two - 2.0f)), sqrtf(two * 8.0f));
  return 0;
}
"""


class Toolchain(NamedTuple):
    """A C compiler that was seen to work, and the processor that it compiles for.

    `identity` differs wherever the same text could become other code. `lanes` are f32 elements in a vector;
    the caches, of one core, are in bytes.
    """

    command: tuple[str, ...]
    version: str
    identity: str
    flags: tuple[str, ...]
    links: tuple[str, ...]
    lanes: int
    registers: int
    first_cache: int
    second_cache: int


def find(store: Store, command: str | None = None) -> Toolchain:
    """The first compiler that works of $CC, cc, gcc, clang and the wheel ziglang, or the one of `command`.

    What was found out about a compiler is kept in the store, so that a later process starts none. Raises NoCompiler.
    """
    if os.name != "posix":
        raise NoCompiler("C is compiled only on systems like Linux and macOS")
    reasons = []
    for found in _candidates() if command is None else filter(None, [_resolved(command)]):
        try:
            return _known(store, found) or _examined(store, found)
        except (CompilationFailed, NoCompiler) as refusal:
            reasons.append(str(refusal).splitlines()[0])
    if not reasons:
        raise NoCompiler("no C compiler was found" if command is None else f"there is no compiler `{command}`")
    raise NoCompiler("no C compiler works: " + "; ".join(reasons))


def _candidates() -> Iterator[tuple[str, ...]]:
    for name in (os.environ.get("CC", ""), "cc", "gcc", "clang"):
        found = _resolved(name)
        if found:
            yield found
    zig = find_spec("ziglang")
    for folder in (zig.submodule_search_locations or ()) if zig else ():
        found = _resolved(shlex.quote(str(Path(folder) / "zig")) + " cc")
        if found:
            yield found


def _resolved(command: str) -> tuple[str, ...] | None:
    """A command with the whole path of its program, if there is one."""
    try:
        words = shlex.split(command)
    except ValueError:  # a quote that does not end
        return None
    program = shutil.which(words[0]) if words else None
    return (os.path.abspath(program), *words[1:]) if program else None


def _known(store: Store, command: tuple[str, ...]) -> Toolchain | None:
    content = store.read(_name(command))
    if content is None:
        return None
    facts: dict[str, Any] = json.loads(content)
    facts |= {name: tuple(value) for name, value in facts.items() if isinstance(value, list)}
    return Toolchain(**facts)


def _name(command: tuple[str, ...]) -> str:
    """Where facts are kept: by the programs, which may be replaced by others, and the processor."""
    programs = [os.path.realpath(p) for word in command if (p := shutil.which(word))]
    dates = [(p, os.stat(p).st_mtime_ns, os.stat(p).st_size) for p in programs]
    told = (command, dates, processor.name(), FLAGS, WELCOME, WIDE, CHECK, Toolchain._fields)
    return f"toolchain-{sha256(repr(told).encode()).hexdigest()}"


def _examined(store: Store, command: tuple[str, ...]) -> Toolchain:
    """Asks a compiler, and compares what a small program of it computes. Raises CompilationFailed, NoCompiler."""
    with store.workplace() as work:
        version = _ask(work, (*command, "--version"))
        native, macros = _macros(work, command)
        lanes, registers = next((n for name, n in LANES.items() if f"#define {name} " in macros), (4, 16))
        zig = ("-fno-sanitize=undefined",) if "zig" in Path(command[0]).name else ()
        flags = (*FLAGS, *native, *zig)
        more = (*WELCOME, *(WIDE if lanes == 16 else ()))
        if _compiles(work, (*command, *flags, *more)):
            flags += more
        if not _computes(work, (*command, *flags), lanes):
            raise NoCompiler(f"what `{command[0]}` compiles computes other numbers than it should")
    links = ("-shared", "-pthread", "-lm", *(() if sys.platform == "darwin" else ("-Wl,-Bsymbolic",)))
    identity = sha256(repr((version, macros, flags)).encode()).hexdigest()
    shown = version.splitlines()[0] if version else command[0]
    found = Toolchain(command, shown, identity, flags, links, lanes, registers, *map(processor.cache, (1, 2)))
    store.keep(_name(command), json.dumps(found._asdict()).encode())
    return found


def _ask(work: Path, command: tuple[str, ...], text: str = "") -> str:
    return jobs.run([Job(command, text)], work, seconds=SECONDS)[0]


def _macros(work: Path, command: tuple[str, ...]) -> tuple[tuple[str, ...], str]:
    """The flags that mean this very processor, and the macros that say what it has."""
    for native in NATIVE[:-1]:
        try:
            return native, _ask(work, (*command, *native, "-dM", "-E", "-x", "c", "-"))
        except CompilationFailed:
            continue
    return NATIVE[-1], _ask(work, (*command, "-dM", "-E", "-x", "c", "-"))


def _compiles(work: Path, command: tuple[str, ...]) -> bool:
    """Whether a compiler knows all these flags."""
    try:
        _ask(work, (*command, "-Werror", "-S", "-o", "-", "-x", "c", "-"))
    except CompilationFailed:
        return False
    return True


def _computes(work: Path, command: tuple[str, ...], lanes: int) -> bool:
    """Whether a program prints what it should."""
    program = work / "check"
    _ask(work, (*command, f"-DLANES={lanes}", "-x", "c", "-", "-o", str(program), "-lm"), CHECK)
    return _ask(work, (str(program),)).split() == [f"{x:g}" for x in _expected(lanes)]


def _expected(lanes: int) -> Iterator[float]:
    for lane in range(lanes):
        yield sum((i - 3) * ((i * lanes + lane) % 7) for i in range(8))
    yield from (2.0**-139, 1, 4)
