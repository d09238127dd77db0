"""The text of C functions: kernels that know the shapes and strides of their operands, and neither addresses nor names.

Sizes that only a run knows become arguments, in the order in which the text asks for them, so that equal kernels have
equal text whatever the names in the spec: one function serves them all, and is compiled once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

from ..ir import dims
from ..ir.dims import Dim, Floor, Size
from ..ir.types import BF16, BOOL, F16, F32, F64, I8, I32, I64, U8, U32
from ..schedule.kernel import Window
from ..schedule.target import Machinery as Machinery

TYPES = {F32: "float", F64: "double", BOOL: "uint8_t", U8: "uint8_t", I8: "int8_t", I32: "int32_t", U32: "uint32_t"}
TYPES |= {I64: "int64_t", F16: "_Float16", BF16: "uint16_t"}

FOLDS = "AX_FOLDS "  # before a function that folds; see standard.h
MARKS = 16  # the least size that is marked
MARKED = re.compile(r"0(?<![\w.]0)(\d+)(?![\w.])")  # begins with what is searched for fastest

FLOOR_DIVIDE = """static inline long ax_floor_divide(long a, long b) {
  return a / b - (a % b != 0 && (a < 0) != (b < 0));
}
"""
STANDARD = Path(__file__).with_name("standard.h").read_text(encoding="utf-8")
HEAD = f"""{STANDARD}
struct ax_run;
void ax_refuse(struct ax_run *run, long note, long value, long limit);
{FLOOR_DIVIDE}"""


class Function:
    """One C function while it is written. Threads divide its `units` among them: lines see `lo` and `hi`.

    Where there are `steps`, one for each window, each unit is at elements of its own: those from so many after those of
    the unit before. `parts` are what threads divide where there is but one unit, and that is divided itself. `integer`
    is the type of sizes and places. Where it `folds`, loops combine elements.
    """

    integer = "long"

    def __init__(self) -> None:
        self.windows: list[Window] = []
        self.symbols: list[Size] = []
        self.units: Size | None = None
        self.steps: tuple[Size, ...] = ()
        self.parts: Size | None = None
        self.refuses = False
        self.folds = False
        self.lines: list[str] = []
        self._types: list[str] = []
        self._depth = 1
        self._names = 0

    def pointer(self, window: Window, *, write: bool = False) -> str:
        """The argument that points to the first element of a window."""
        self.windows.append(window)
        self._types.append(f"{TYPES[window.dtype]} *" if write else f"const {TYPES[window.dtype]} *")
        return f"p{len(self.windows) - 1}"

    def size(self, size: Size) -> str:
        """A size as a C expression of type `long`; a constant is a literal, which sharing.py may find."""
        return marked(size) if isinstance(size, int) else c_size(size, self._symbol, marked)

    def number(self, size: Size) -> str:
        """As `size`, but a literal may be found however small it is: no loop is unrolled by it."""
        return marked(size, least=1) if isinstance(size, int) else self.size(size)

    def _symbol(self, name: str) -> str:
        size = dims.name(name)
        return f"n{self.symbols.index(size)}" if size in self.symbols else self.given(size)

    def given(self, size: Size) -> str:
        """The argument that is a size, a number too: a kernel of one sample is then that of many."""
        self.symbols.append(size)
        return f"n{len(self.symbols) - 1}"

    def split(self, units: Size) -> None:
        """Says that lines work on units `lo` to `hi` of so many; whoever calls gives each thread its share."""
        assert self.units is None
        self.units = units

    def refuse(self, value: str, limit: str) -> None:
        """A line that reports a value which is not in 0 … limit - 1; the caller says which instruction it was."""
        self.refuses = True
        self.line(f"ax_refuse(run, note, {value}, {limit});")

    def fresh(self, stem: str = "v") -> str:
        """A name that no other line uses."""
        self._names += 1
        return f"{stem}{self._names}"

    def line(self, text: str) -> None:
        self.lines.append("  " * self._depth + text)

    def let(self, name: str, value: str) -> str:
        """Declares a size or a place."""
        self.line(f"const {self.integer} {name} = {value};")
        return name

    @contextmanager
    def block(self, head: str) -> Iterator[None]:
        """What is written inside stands in braces after `head`."""
        self.line(f"{head} {{")
        self._depth += 1
        yield
        self._depth -= 1
        self.line("}")

    @contextmanager
    def loop(self, index: str, end: str, start: str = "0", step: int = 1, *, integer: str = "") -> Iterator[None]:
        """A loop of `index` from `start` to below `end`."""
        turn = f"{index}++" if step == 1 else f"{index} += {step}"
        with self.block(f"for ({integer or self.integer} {index} = {start}; {index} < {end}; {turn})"):
            yield

    @property
    def text(self) -> str:
        """The definition, with @ for its name."""
        return MARKED.sub(r"\1", self.draft)

    @property
    def draft(self) -> str:
        """The definition, whose sizes are marked."""
        head = f"{FOLDS if self.folds else ''}void @({', '.join(self.formals) or 'void'}) {{\n"
        return head + "\n".join(self.lines) + "\n}\n"

    @property
    def formals(self) -> list[str]:
        """What it is given: pointers, sizes, units, and whom to tell what is refused."""
        formals = [f"{t}p{i}" for i, t in enumerate(self._types)]
        formals += [f"{self.integer} n{i}" for i in range(len(self.symbols))]
        formals += ["long lo", "long hi"] if self.units is not None else []
        return formals + (["struct ax_run *run", "long note"] if self.refuses else [])

    @property
    def name(self) -> str:
        """A name that the text decides, with what is marked in it."""
        return name_of(self.draft)


def name_of(text: str) -> str:
    """The name of a function, which its text decides."""
    return "k" + sha256(text.encode()).hexdigest()[:16]


def marked(size: int, least: int = MARKS) -> str:
    """A literal that is told from others by a zero before it, until `text` takes that away; small ones, by which the
    compiler unrolls loops, have none."""
    return f"0{size}" if size >= least else str(size)


def c_size(size: Dim, symbol: Callable[[str], str], number: Callable[[int], str] = str) -> str:
    """A size in C, given what stands for each of its names, and how its numbers are written."""
    terms = []
    for product, factor in size.terms:
        atoms = [_atom(atom, symbol) for atom, power in product for _ in range(power)]
        terms.append(" * ".join([*([number(factor)] if factor != 1 or not atoms else []), *atoms]))
    return f"({' + '.join(terms)})"


def _atom(atom: str | Floor, symbol: Callable[[str], str]) -> str:
    if isinstance(atom, str):
        return symbol(atom)
    above, below = (c_size(s, symbol) if isinstance(s, Dim) else str(s) for s in (atom.numerator, atom.denominator))
    return f"ax_floor_divide({above}, {below})"
