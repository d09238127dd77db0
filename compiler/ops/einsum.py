"""Sums of products written with letters (`nqd,nkd->nqk`) turned into transpositions, reshapes and products."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ..ir import dims
from ..ir.check import Check
from ..ir.dims import Size
from ..ir.graph import Builder, Node, located
from .contract import Matmul
from .elementwise import Mul
from .layout import Transpose, reshaped
from .reduce import Sum


class Lettered(NamedTuple):
    """A value whose axes have letters."""

    node: Node
    letters: str


@located
def einsum(b: Builder, equation: str, *nodes: Node) -> Node:
    """The sum over the letters that the result lacks of the product of the operands, which it takes from the left.

    A letter means one size wherever it stands; it stands once in an operand, and not only in the result.
    """
    terms, result = _letters(equation, nodes)
    sizes = _sizes(b, equation, terms, nodes)
    operands = [Lettered(n, letters) for n, letters in zip(nodes, terms, strict=True)]
    total = operands[0]
    for i, operand in enumerate(operands[1:], 1):
        later = result + "".join(terms[i + 1 :])
        total = _pair(
            b, _without(b, total, operand.letters + later), _without(b, operand, total.letters + later), later
        )
        total = Lettered(reshaped(b, total.node, tuple(sizes[a] for a in total.letters)), total.letters)
    return _arranged(b, _without(b, total, result), result)


def _letters(equation: str, nodes: Sequence[Node]) -> tuple[list[str], str]:
    """The letters of each operand, and of the result."""
    left, arrow, result = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    shown = ", ".join(str(n.type) for n in nodes)
    advice = "write one letter for each axis, as in `nqd,nkd->nqk`"
    wrong = [t for t in (*terms, result) if not (t + "a").isalpha() or len(set(t)) < len(t)]
    if not arrow or wrong or not set(result) <= set(left):
        Check().shape(f"`{equation}` is no sum of products", shown, advice=advice)
    if [len(t) for t in terms] != [len(n.shape) for n in nodes]:
        Check().shape(f"`{equation}` does not fit its operands", shown, advice=advice)
    return terms, result


def _sizes(b: Builder, equation: str, terms: Sequence[str], nodes: Sequence[Node]) -> Mapping[str, Size]:
    """The size that each letter means."""
    c, sizes = Check(), dict[str, Size]()
    for letters, node in zip(terms, nodes, strict=True):
        for letter, size in zip(letters, node.shape, strict=True):
            known = sizes.get(letter, size)
            sizes[letter] = c.same(known, size, f"`{letter}` means two sizes in `{equation}`")
    for left, right in c.open:
        b.guard(left, right)
    return sizes


def _without(b: Builder, x: Lettered, needed: str) -> Lettered:
    """x summed over the letters that nobody needs."""
    over = tuple(i for i, letter in enumerate(x.letters) if letter not in needed)
    node = b.add(Sum(over, False), x.node) if over else x.node
    return Lettered(node, _both(x.letters, needed))


def _pair(b: Builder, x: Lettered, y: Lettered, needed: str) -> Lettered:
    """The product of two values, summed over the letters of both that nobody needs later; flattened in groups."""
    shared = _both(x.letters, y.letters)
    batch, inner = _both(shared, needed), "".join(a for a in shared if a not in needed)
    rows, columns = ("".join(a for a in v.letters if a not in shared) for v in (x, y))
    left, turned_left = _matrix(b, x, batch, rows, inner)
    right, turned_right = _matrix(b, y, batch, columns, inner)
    if inner:
        product = b.add(Matmul(turned_left, not turned_right), left, right)
    else:
        product = b.add(Mul(), left, _swapped(b, right))
    return Lettered(product, batch + rows + columns)


def _matrix(b: Builder, x: Lettered, batch: str, outer: str, inner: str) -> tuple[Node, bool]:
    """x as [batch..., outer, inner], or transposed if it lies so already; and whether it is."""
    turned = x.letters == batch + inner + outer and bool(inner) and bool(outer)
    order = batch + (inner + outer if turned else outer + inner)
    at = dict(zip(x.letters, x.node.shape, strict=True))
    sizes = [dims.product(at[a] for a in letters) for letters in (outer, inner)]
    shape = (*(at[a] for a in batch), *(reversed(sizes) if turned else sizes))
    return reshaped(b, _arranged(b, x, order), shape), turned


def _swapped(b: Builder, x: Node) -> Node:
    return reshaped(b, x, (*x.shape[:-2], x.shape[-1], x.shape[-2]))


def _arranged(b: Builder, x: Lettered, order: str) -> Node:
    """x with its axes in the order of the letters."""
    if x.letters == order:
        return x.node
    return b.add(Transpose(tuple(x.letters.index(a) for a in order)), x.node)


def _both(letters: str, others: str) -> str:
    return "".join(a for a in letters if a in others)
