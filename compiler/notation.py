"""Scalar expressions of kernels -> mathematics for people: `max(x + b, 0)` instead of `max(add(x0, x1), 0.0)`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .ir.scalar import FOLDS, OF_ROW, PICKED, PLACE, POSITION, Expr, parts

_INFIX = {
    "or": (1, "or"),
    "and": (2, "and"),
    **{word: (3, sign) for word, sign in zip("eq ne lt le gt ge".split(), "= ≠ < ≤ > ≥".split(), strict=True)},
    "add": (4, "+"),
    "sub": (4, "-"),
    "floor_div": (5, "//"),
    "mod": (5, "%"),
    "mul": (6, "·"),
    "div": (6, "/"),
}
_SIGN, _POWER, _ATOM = 7, 8, 9
_PREFIX = {"neg": "-", "sqrt": "√", "logical_not": "not "}
_SUFFIX = {"square": "²", "reciprocal": "⁻¹"}
_FOLDS = {name: {"sum": "Σ", "prod": "Π"}.get(law, law) for law, name in FOLDS.items()}
# By how much tighter the right operand must bind to stand without parentheses.
_TIGHTER = {"sub": 1, "div": 1, "floor_div": 2, "mod": 2, **dict.fromkeys("eq ne lt le gt ge".split(), 1)}


def formulas(stores: Sequence[Expr], names: Sequence[str], operands: Sequence[str]) -> tuple[str, ...]:
    """One equation for each store: `name = expression`. What one of them computes stands in the others by its name, and
    so does what combines the elements of a row, whose equation stands before."""
    known = {e: n for e, n in zip(stores, names, strict=True) if e.word not in ("load", "const", OF_ROW)}
    found: list[str] = []
    for fold in (e for e in parts(stores) if e.word in _FOLDS and e not in known):
        name = f"{_FOLDS[fold.word]}{len(found) + 1}"
        found.append(f"{name} = {_written(fold, [(0, text(fold.operands[0], operands, known))], operands)[1]}")
        known[fold] = name
    for e, name in zip(stores, names, strict=True):
        others = {o: n for o, n in known.items() if o is not e}
        found.append(f"{name} = {text(e, operands, others)}")
    return tuple(found)


def text(root: Expr, operands: Sequence[str], known: Mapping[Expr, str]) -> str:
    """The expression over the names of its operands; `known` expressions stand by their names."""
    done: dict[Expr, tuple[int, str]] = {e: (_ATOM, n) for e, n in known.items()}
    stack = [root]
    while stack:  # of our own, since chains of a fused kernel are deep
        top = stack[-1]
        missing = [o for o in top.operands if o not in done]
        if top in done:
            stack.pop()
        elif missing:
            stack += reversed(missing)
        else:
            done[stack.pop()] = _written(top, [done[o] for o in top.operands], operands)
    return done[root][1]


def _written(e: Expr, given: list[tuple[int, str]], operands: Sequence[str]) -> tuple[int, str]:
    """How tightly the expression binds, and its text."""
    if e.word in _FOLDS:
        return _ATOM, f"{_FOLDS[e.word]}({given[0][1]})"
    if e.word == POSITION:
        return given[0]
    if e.word == PICKED:
        return _ATOM, f"{_in(given[0], _ATOM)}[{given[1][1]}]"
    if e.word == PLACE:
        return _ATOM, "j"
    if e.word in ("load", OF_ROW):
        name = operands[int(e.value)]
        return (_ATOM if " " not in name else 0), name
    if e.word == "const":
        return _ATOM if e.value >= 0 else _SIGN, number(e.value)
    if e.word in _INFIX:
        strength, sign = _INFIX[e.word]
        left, right = given
        return strength, f"{_in(left, strength)} {sign} {_in(right, strength + _TIGHTER.get(e.word, 0))}"
    if e.word in _PREFIX:
        return _SIGN, _PREFIX[e.word] + _in(given[0], _POWER)
    if e.word in _SUFFIX:
        return _POWER, _in(given[0], _ATOM) + _SUFFIX[e.word]
    if e.word == "pow":
        return _POWER, f"{_in(given[0], _ATOM)}^{_in(given[1], _ATOM)}"
    word = e.dtype.value if e.word == "cast" else e.word
    return _ATOM, f"{word}({', '.join(part for _, part in given)})"


def _in(part: tuple[int, str], strength: int) -> str:
    return part[1] if part[0] >= strength else f"({part[1]})"


def number(value: int | float | bool) -> str:
    """A number as one would write it; six figures of a fraction."""
    return f"{value:.6g}" if isinstance(value, float) else str(value).lower()
