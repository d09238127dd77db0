"""The C functions that copy strided matrices into panels: few columns, one row of them after the other in memory.

A panel is what a tile reads best: every step takes its vectors from the next bytes. Columns that a panel has more than
the matrix repeat its last one or are zero; nothing but elements of the matrix is read.
"""

from __future__ import annotations

from typing import NamedTuple


class Element(NamedTuple):
    """An element type: how names in C begin, its own name, the integers that shuffle it, and lanes of a vector."""

    prefix: str
    scalar: str
    integer: str
    lanes: int


def panels(lanes: int) -> str:
    """Parts of vectors in and out of memory, totals of vectors, and copies to panels, for vectors of `lanes` f32."""
    elements = (Element("f32", "float", "int32_t", lanes), Element("f64", "double", "int64_t", lanes // 2))
    return START + "".join(_part(e) + _total(e) + _rows(e) + _strips(e) + _turned(e) + _gathered(e) for e in elements)


START = """#ifndef __has_builtin
#define __has_builtin(x) 0
#endif
#if __has_builtin(__builtin_shufflevector)
#define ax_shuffle(integers, a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define ax_shuffle(integers, a, b, ...) __builtin_shuffle(a, b, (integers){__VA_ARGS__})
#endif
"""
COPY = "static __attribute__((noinline, unused)) void"
COPIES = ("turned", "strips", "gathered", "rows")  # what these are called, those first that take longest to compile


def _part(e: Element) -> str:
    """`count` elements of a vector: loads fill up with zeros, stores leave what follows. Masks where there are any."""
    p, kind = e.prefix, "s" if e.prefix == "f32" else "d"
    return f"""typedef {e.integer} {p}i __attribute__((vector_size(sizeof({p}v))));
static inline {p}v {p}_part(const {e.scalar} *from, long count) {{
#if defined(__AVX512F__) && __has_builtin(__builtin_ia32_loadup{kind}512_mask) && {e.lanes * (2 - (kind == "s"))} == 16
  return __builtin_ia32_loadup{kind}512_mask((const void *)from, ({p}v){{0}}, (1u << count) - 1);
#else
  {p}v v = {{0}};
  for (long i = 0; i < count; i++) v[i] = from[i];
  return v;
#endif
}}
static inline void {p}_put({e.scalar} *to, {p}v v, long count) {{
#if defined(__AVX512F__) && __has_builtin(__builtin_ia32_storeup{kind}512_mask) && {e.lanes * (2 - (kind == "s"))} == 16
  __builtin_ia32_storeup{kind}512_mask((void *)to, v, (1u << count) - 1);
#else
  for (long i = 0; i < count; i++) to[i] = v[i];
#endif
}}
"""


def _total(e: Element) -> str:
    """The sum of the elements of a vector."""
    p, lines, half = e.prefix, [], e.lanes // 2
    while half:
        order = ", ".join(str(i ^ half) for i in range(e.lanes))
        lines.append(f"  v += ax_shuffle({p}i, v, v, {order});")
        half //= 2
    body = "\n".join(lines)
    return f"static inline {e.scalar} {p}_total({p}v v) {{\n{body}\n  return v[0];\n}}\n"


def _rows(e: Element) -> str:
    """Copies a matrix whose rows are runs of memory, with zeros up to the width of the panel."""
    p, w = e.prefix, e.lanes
    return f"""{COPY} {p}_rows({e.scalar} *to, long width,
    const {e.scalar} *from, long stride, long rows, long columns) {{
  const long whole = columns / {w} * {w}, room = width - whole;
  for (long r = 0; r < rows; r++, from += stride, to += width) {{
    for (long i = 0; i < whole; i += {w}) *({p}vu *)(to + i) = *(const {p}vu *)(from + i);
    if (room) {p}_put(to + whole, {p}_part(from + whole, columns - whole), room);
  }}
}}
"""


def _strips(e: Element) -> str:
    """Copies a matrix whose rows are runs of memory to panels side by side, `panel` elements apart: each row is read at
    once. The width is whole vectors; the columns of the last panel may be fewer."""
    p, w = e.prefix, e.lanes
    return f"""{COPY} {p}_strips({e.scalar} *to, long width, long panel,
    const {e.scalar} *from, long stride, long rows, long columns) {{
  for (long r = 0; r < rows; r++, from += stride, to += width) {{
    {e.scalar} *t = to;
    long c = 0;
    for (; c + width <= columns; c += width, t += panel)
      for (long i = 0; i < width; i += {w}) *({p}vu *)(t + i) = *(const {p}vu *)(from + c + i);
    if (c < columns) {p}_rows(t, width, from + c, 0, 1, columns - c);
  }}
}}
"""


def _turned(e: Element) -> str:
    """Copies a matrix whose columns are runs of memory: squares of it are transposed in registers."""
    p, w = e.prefix, e.lanes
    turns, names = _transposed(e)
    lines = [f"  const {p}v v{i} = *(const {p}vu *)(from + {i} * stride);" for i in range(w)]
    lines += [*turns, *(f"  *({p}vu *)(to + {i} * width) = {name};" for i, name in enumerate(names))]
    square = "\n".join(lines)
    return f"""{COPY} {p}_square({e.scalar} *to, long width, const {e.scalar} *from, long stride) {{
{square}
}}
{COPY} {p}_corner({e.scalar} *to, long width,
    const {e.scalar} *from, long stride, long rows, long columns, long room) {{
  {e.scalar} there[{w * w}], turned[{w * w}];
  for (long i = 0; i < {w}; i++)
    *({p}vu *)(there + i * {w}) = {p}_part(from + (i < columns ? i : columns - 1) * stride, rows);
  {p}_square(turned, {w}, there, {w});
  for (long i = 0; i < rows; i++) {p}_put(to + i * width, *({p}vu *)(turned + i * {w}), room);
}}
{COPY} {p}_turned({e.scalar} *to, long width,
    const {e.scalar} *from, long stride, long rows, long columns) {{
  for (long c = 0; c < width; c += {w}) {{
    const long left = columns - c, room = width - c;
    for (long r = 0; r < rows; r += {w}) {{
      {e.scalar} *t = to + r * width + c;
      const {e.scalar} *q = from + c * stride + r;
      const long high = rows - r;
      if (left >= {w} && high >= {w}) {p}_square(t, width, q, stride);
      else {p}_corner(t, width, q, stride, high < {w} ? high : {w}, left, room < {w} ? room : {w});
    }}
  }}
}}
"""


def _transposed(e: Element) -> tuple[list[str], list[str]]:
    """The lines that transpose vectors v0, v1 … of a square, and the names of its columns.

    Each exchange is one instruction: elements move inside 16 bytes, or 16 bytes move.
    """
    lines, names = [], [f"v{i}" for i in range(e.lanes)]
    held = [[(row, column) for column in range(e.lanes)] for row in range(e.lanes)]
    for stage, (distance, orders) in enumerate(_exchanges(e.lanes, 4 if e.prefix == "f32" else 2)):
        for i in (i for i in range(e.lanes) if not i & distance):
            pair, both = (names[i], names[i | distance]), held[i] + held[i | distance]
            for k, order in zip((i, i | distance), orders, strict=True):
                names[k], held[k] = f"v{k}_{stage}", [both[lane] for lane in order]
                lanes = ", ".join(map(str, order))
                lines.append(f"  const {e.prefix}v {names[k]} = ax_shuffle({e.prefix}i, {', '.join(pair)}, {lanes});")
    columns = {elements[0][1]: name for name, elements in zip(names, held, strict=True)}
    return lines, [columns[i] for i in range(e.lanes)]


def _exchanges(lanes: int, unit: int) -> list[tuple[int, list[list[int]]]]:
    """Which rows exchange what, in order: their distance, and the elements of both that make the new two.

    A `unit` of elements is 16 bytes.
    """
    inside: dict[int, list[list[tuple[int, ...]]]] = {
        2: [[(0, lanes), (1, lanes + 1)]],
        4: [
            [(0, lanes, 1, lanes + 1), (2, lanes + 2, 3, lanes + 3)],
            [(0, 1, lanes, lanes + 1), (2, 3, lanes + 2, lanes + 3)],
        ],
    }
    starts = range(0, lanes, unit)
    orders = [[[i + j for i in starts for j in order] for order in pair] for pair in inside[unit]]
    across = [[i + j + k for k in (0, lanes) for i in starts[odd::2] for j in range(unit)] for odd in (0, 1)]
    orders += [across] * (lanes.bit_length() - 1 - len(orders))
    return [(1 << n, pair) for n, pair in enumerate(orders)]


def _gathered(e: Element) -> str:
    """Copies a matrix of any strides."""
    return f"""{COPY} {e.prefix}_gathered({e.scalar} *to, long width, const {e.scalar} *from, long row, long column,
    long rows, long columns) {{
  for (long r = 0; r < rows; r++)
    for (long c = 0; c < width; c++)
      to[r * width + c] = c < columns ? from[r * row + c * column] : 0;
}}
"""
