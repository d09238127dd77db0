"""Memory that is asked for ahead: while some tiles are multiplied, what the next ones read is on its way.

Copies to panels read pieces that lie far apart, and rows of activations come from where other kernels left them; a
processor sees neither coming. Each tile asks for some lines.
"""

from __future__ import annotations

from typing import NamedTuple

from .blocking import LINE, Blocking, known
from .function import Function
from .matrices import Matrices, Matrix
from .units import Lead

LARGE = 128 << 10  # bytes of a at least where all is one product: less is near anyway
ENOUGH = 4 << 10  # bytes of one of several
NOTHING = "ax_look(0, 0, 0, 0, 1)"

PRELUDE = f"""typedef struct {{ const char *at, *stop; long run, stride, left, each; }} ax_ahead;
static inline ax_ahead ax_look(const void *from, long run, long stride, long rows, long tiles) {{
  const long lines = rows * ((run + {LINE - 1}) / {LINE});
  return (ax_ahead){{from, (const char *)from + run, run, stride, lines, (lines + tiles - 1) / tiles}};
}}
static inline void ax_ask(ax_ahead *a) {{
  for (long i = 0; i < a->each && a->left > 0; i++, a->left--, a->at += {LINE}) {{
    if (a->at >= a->stop) a->at = a->stop - a->run + a->stride, a->stop += a->stride;
    __builtin_prefetch(a->at, 0, 2);
  }}
}}
"""


class Ahead(NamedTuple):
    """What the tiles of one product ask for: of the next matrices; or of a, by `group` tiles of rows, and of b, where
    it is copied block by block."""

    f: Function
    p: Matrices
    cut: Blocking
    lead: Lead
    group: int

    @property
    def pays(self) -> bool:
        """Whether there is enough to ask for, and it is known of which size."""
        p, size = self.p, known(self.p.m) * known(self.p.k) * self.p.dtype.bytes
        if p.lead:
            return size >= ENOUGH and p.k == self.cut.depth and not self.cut.by_columns
        return size >= LARGE and not (p.triangle or self.cut.by_columns)

    def of_next_panels(self) -> None:
        """Before the units `from` to `to` of columns `first` to `last`: what comes after all of them."""
        if not self._asks_for_b:
            return
        f, p = self.f, self.p
        self._count_tiles("from", "to", " / 2" if p.lead and p.triangle else "")
        if p.lead:
            is_last = f"(l + 1) * {self.lead.units} >= hi"
            for name, x, size in (("a", p.a, p.m), ("b", p.b.turned, p.n)):
                found = self._look(x, self.lead.place(name, x, "(l + 1)"), f.size(size), f.size(p.k))
                f.line(f"ax_ahead more_{name} = {is_last} ? {NOTHING} : {found};")
            return
        columns = self._place("b", p.b.turned, "first", self._deeper)
        steps = self._look(p.b.turned, columns, "(last - first)", self._steps)
        f.line(f"ax_ahead more_b = {self._is_deeper} ? {steps} : {NOTHING};")

    def of_next_group(self) -> None:
        """Before the tiles of units `g` to `end`: the rows of those after them, or else their next steps."""
        if self.p.lead:
            return
        self._count_tiles("g", "end", "")
        units, steps = self._rows("end", "k0", "kb"), self._rows("from", self._deeper, self._steps)
        self.f.line(f"ax_ahead more_a = end < to ? {units} : {self._is_deeper} ? {steps} : {NOTHING};")

    def ask(self) -> None:
        """In a tile."""
        self.f.line("ax_ask(&more_a);" + (" ax_ask(&more_b);" if self._asks_for_b else ""))

    @property
    def _asks_for_b(self) -> bool:
        return bool(self.p.lead) or (self.cut.packs_b and self.p.k != self.cut.depth)

    @property
    def _deeper(self) -> str:
        return f"(k0 + {self.f.size(self.cut.depth)})"

    @property
    def _is_deeper(self) -> str:
        return f"{self._deeper} < {self.f.size(self.p.k)}"

    @property
    def _steps(self) -> str:
        return f"ax_between({self.f.size(self.p.k)} - {self._deeper}, {self.f.size(self.cut.depth)})"

    def _rows(self, unit: str, step: str, steps: str) -> str:
        """The rows of a group that begins at a unit."""
        f, a = self.f, self.p.a
        first = unit if self.cut.by_samples else f"{unit} * {self.cut.height}"
        rows = f"ax_between({f.size(self.p.m)} - {first}, {f.size(self.group * self.cut.height)})"
        return self._look(a, self._place("a", a, first, step), rows, steps)

    def _count_tiles(self, first: str, end: str, part: str) -> None:
        rows = f"({end} - {first})" + (f" / {self.cut.height}" if self.cut.by_samples else "")
        panels = f"((last - first + {self.cut.width - 1}) / {self.cut.width})"
        self.f.line(f"const long tiles = ({rows} + 1) * {panels}{part};")

    def _place(self, name: str, x: Matrix, row: str, step: str) -> str:
        return f"{name} + {row} * {self.f.size(x.row)} + {step} * {self.f.size(x.column)}"

    def _look(self, x: Matrix, place: str, rows: str, steps: str) -> str:
        """What some rows of an operand have in some steps, by its runs of memory."""
        run, count, stride = (steps, rows, x.row) if x.column == 1 else (rows, steps, x.column)
        item = self.p.dtype.bytes
        return f"ax_look({place}, {run} * {item}, {self.f.size(stride)} * {item}, {count}, tiles)"
