"""Sizes of tensors: whole numbers, names, and canonical arithmetic of them.

A size that is not a number is a `Dim`: a sum of integer multiples of products of atoms, where an atom is a name
or a floor division that arithmetic could not resolve. Equal arithmetic has equal form, so `==` decides what can
be decided: `((16 * H) // 2) * 2 == 16 * H`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

Size: TypeAlias = "int | Dim"


@dataclass(frozen=True, slots=True)
class Floor:
    """`numerator // denominator`, undecided."""

    numerator: Dim
    denominator: Size

    def __str__(self) -> str:
        return f"{_operand(self.numerator)} // {_operand(self.denominator)}"


Atom: TypeAlias = "str | Floor"
Product: TypeAlias = tuple[tuple[Atom, int], ...]  # atoms with their powers, sorted


@dataclass(frozen=True, eq=False)
class Dim:
    """A size that is no plain number: `terms` are products of atoms with their integer factors, sorted."""

    terms: tuple[tuple[Product, int], ...]

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Dim) and self.terms == other.terms)

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        return hash(self.terms)

    def __add__(self, other: Size) -> Size:
        if isinstance(other, int):
            return self._plus(other)
        return _sum((*self.terms, *other.terms))

    def _plus(self, number: int) -> Dim:
        """With a number added; the constant term stands in front of all others."""
        if number == 0:
            return self
        (factors, multiple), *rest = self.terms
        if factors:
            return Dim((((), number), *self.terms))
        return Dim((((), multiple + number), *rest) if multiple + number else tuple(rest))

    __radd__ = __add__

    def __neg__(self) -> Size:
        return self * -1

    def __sub__(self, other: Size) -> Size:
        return self + other * -1

    def __rsub__(self, other: int) -> Size:
        return self * -1 + other

    def __mul__(self, other: Size) -> Size:
        if isinstance(other, int):
            return self._multiplied(other)
        return _sum((_times(a, b), x * y) for a, x in self.terms for b, y in other.terms)

    def _multiplied(self, number: int) -> Size:
        if number in (0, 1):
            return self if number else 0
        return Dim(tuple([(factors, multiple * number) for factors, multiple in self.terms]))

    __rmul__ = __mul__

    def __floordiv__(self, other: Size) -> Size:
        return floor_divide(self, other)

    def __rfloordiv__(self, other: int) -> Size:
        return floor_divide(other, self)

    def __mod__(self, other: Size) -> Size:
        return self - other * floor_divide(self, other)

    def __rmod__(self, other: int) -> Size:
        return other - self * floor_divide(other, self)

    @cached_property
    def names(self) -> frozenset[str]:
        return frozenset(name for product, _ in self.terms for atom, _ in product for name in _atom_names(atom))

    def __str__(self) -> str:
        text = ""
        for product, factor in reversed(self.terms):
            sign = "-" if factor < 0 else "+"
            whole = not text and factor < 0  # `-(H // 2)` is not `-H // 2`
            text += (f" {sign} " if text else sign.strip("+")) + _term_text(product, abs(factor), whole)
        return text

    __repr__ = __str__


def name(text: str) -> Dim:
    """The free dimension called `text`."""
    return Dim(((((text, 1),), 1),))


def names(size: Size) -> frozenset[str]:
    """The free names a size depends on."""
    return size.names if isinstance(size, Dim) else frozenset()


def floor_divide(a: Size, b: Size) -> Size:
    """`a // b`, exact where every term divides; what is left stays as an atom."""
    if isinstance(a, int) and isinstance(b, int):
        return a // b
    exact = _exact_quotient(a, b)
    if exact is not None:
        return exact
    if isinstance(a, Dim) and isinstance(b, int):
        whole = [(p, f // b) for p, f in a.terms if f % b == 0]
        rest = _sum((p, f) for p, f in a.terms if f % b)
        if isinstance(rest, int):
            return _sum(whole) + rest // b
        return _sum(whole) + _atom(Floor(rest, b)) if whole else _atom(Floor(a, b))
    return _atom(Floor(a if isinstance(a, Dim) else Dim((((), a),)), b))


def ceil_divide(a: Size, b: Size) -> Size:
    """The least whole number not below `a / b`."""
    return (a + b - 1) // b


def product(sizes: Iterable[Size]) -> Size:
    """The number of elements of a shape."""
    total: Size = 1
    for size in sizes:
        total = total * size
    return total


def same(a: Size, b: Size) -> bool | None:
    """Whether two sizes are equal: yes, no, or None where only numbers decide.

    Two different bare names never agree. Names are at least 1, so that 4 * N is never 12 * N.
    """
    if a == b:
        return True
    difference = a - b
    if isinstance(difference, int) or (_is_name(a) and _is_name(b)):
        return False
    return False if _is_positive(difference) or _is_positive(-difference) else None


def _is_positive(size: Size) -> bool:
    """Whether a size is above 0 whatever its names are: a sum of products, one of them without a floor division."""
    terms = _terms(size)
    return all(f > 0 for _, f in terms) and any(all(isinstance(a, str) for a, _ in p) for p, _ in terms)


def substitute(size: Size, values: Mapping[str, Size]) -> Size:
    """The size with names replaced."""
    if not isinstance(size, Dim) or size.names.isdisjoint(values):
        return size
    total: Size = 0
    for factors, multiple in size.terms:
        term: Size = multiple
        for atom, power in factors:
            for _ in range(power):
                term = term * _atom_value(atom, values)
        total = total + term
    return total


def parse(text: str) -> Size:
    """The size that `str` printed."""
    return _from_syntax(ast.parse(text, mode="eval").body)


def _from_syntax(node: ast.expr) -> Size:
    match node:
        case ast.Constant(value=int(value)):
            return value
        case ast.Name(id=text):
            return name(text)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_from_syntax(operand)
        case ast.BinOp(left=left, op=op, right=right):
            a, b = _from_syntax(left), _from_syntax(right)
            match op:
                case ast.Add():
                    return a + b
                case ast.Sub():
                    return a - b
                case ast.Mult():
                    return a * b
                case ast.FloorDiv():
                    return floor_divide(a, b)
                case ast.Pow():
                    return product([a] * b) if isinstance(b, int) else 0
    raise ValueError(f"not a size: {ast.unparse(node)}")


def _terms(size: Size) -> tuple[tuple[Product, int], ...]:
    return size.terms if isinstance(size, Dim) else (((), size),)


def _sum(terms: Iterable[tuple[Product, int]]) -> Size:
    total: dict[Product, int] = {}
    for factors, multiple in terms:
        total[factors] = total.get(factors, 0) + multiple
    left = {p: f for p, f in total.items() if f}
    if not left:
        return 0
    if left.keys() == {()}:
        return left[()]
    return Dim(tuple(sorted(left.items(), key=lambda term: (len(term[0]), str(term[0])))))


def _times(a: Product, b: Product) -> Product:
    powers = dict(a)
    for atom, power in b:
        powers[atom] = powers.get(atom, 0) + power
    return tuple(sorted(powers.items(), key=lambda item: str(item[0])))


def _exact_quotient(a: Size, b: Size) -> Size | None:
    """`a / b` where b is a single term that divides every term of a."""
    divisor = _terms(b)
    if len(divisor) != 1:
        return 1 if a == b else None
    (factors, multiple), result = divisor[0], []
    for product_, factor in _terms(a):
        powers = dict(product_)
        for atom, power in factors:
            powers[atom] = powers.get(atom, 0) - power
        if factor % multiple or min(powers.values(), default=0) < 0:
            return None
        result.append((tuple(item for item in powers.items() if item[1]), factor // multiple))
    return _sum(result)


def _atom(floor: Floor) -> Size:
    return Dim(((((floor, 1),), 1),))


def _atom_names(atom: Atom) -> frozenset[str]:
    if isinstance(atom, str):
        return frozenset((atom,))
    return atom.numerator.names | names(atom.denominator)


def _atom_value(atom: Atom, values: Mapping[str, Size]) -> Size:
    if isinstance(atom, str):
        return values.get(atom, name(atom))
    return floor_divide(substitute(atom.numerator, values), substitute(atom.denominator, values))


def _is_name(size: Size) -> bool:
    return isinstance(size, Dim) and len(size.terms) == 1 and _is_bare(*size.terms[0])


def _is_bare(factors: Product, multiple: int) -> bool:
    return multiple == 1 and len(factors) == 1 and factors[0][1] == 1 and isinstance(factors[0][0], str)


def _operand(size: Size) -> str:
    return f"({size})" if isinstance(size, Dim) and not _is_name(size) else str(size)


def _term_text(factors: Product, multiple: int, whole: bool) -> str:
    texts = [str(atom) if isinstance(atom, str) else f"({atom})" for atom, power in factors for _ in range(power)]
    if multiple != 1 or not texts:
        texts.insert(0, str(multiple))
    return texts[0][1:-1] if len(texts) == 1 and texts[0][0] == "(" and not whole else " * ".join(texts)
