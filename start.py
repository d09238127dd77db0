"""What a program begins with: the outline of a spec, found among what was kept or made by checking the spec."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from .plans import Origin, Plans, identity_of, keep_outline, plans_of, read_outline
from .runtime.errors import InputError
from .runtime.outline import Flat, Outline, Weight

if TYPE_CHECKING:
    from .compiler.ir.dims import Size
    from .compiler.parameters import Piece
    from .compiler.trace.tracer import Initial
    from .specification import Specification


class Start(NamedTuple):
    """An outline, the plans that are kept, the sizes that are known, and how to get the specification.

    A spec whose outline was kept is checked when something is asked for that only the specification knows.
    """

    outline: Outline
    plans: Plans | None
    sizes: Mapping[str, int]
    check: Callable[[], Specification]


def start(origin: Origin) -> Start:
    """How the program of a spec begins. Raises SpecError, and InputError where the data are at fault."""
    kept = read_outline(origin)
    if kept is None:
        specification = _checked(origin)
        made = start_of(specification)
        keep_outline(origin, specification, made.outline)
        return made
    outline, plans = kept
    return Start(outline, plans, origin.sizes, lambda: _same(origin, plans.identity))


def start_of(specification: Specification) -> Start:
    """The same for a spec that was checked."""
    return Start(outline_of(specification), plans_of(specification), specification.sizes, lambda: specification)


def outline_of(specification: Specification) -> Outline:
    """The outline of a spec. Raises InputError, or what is wrong with the data, where weights have no sizes."""
    from .compiler.ir import dims

    ranges, initials = specification.ranges, specification.initials
    unbound = sorted({n for r in ranges for n in dims.names(r.total)})
    if unbound:
        raise specification.problem or InputError(
            "unbound-size",
            f"the sizes of weights depend on {', '.join(unbound)}, which no data binds",
            "give them a number in `sizes`, or bind the input in the `data` section",
        )
    flats = []
    for r, used in zip(ranges, specification.phases.used, strict=True):
        weights = tuple(_weight(p, initials[p.name]) for p in r.pieces)
        flats.append(Flat(r.name, str(r.dtype), whole(r.total), weights, used.name if used.name != r.name else ""))
    states = []
    for name, state in specification.states.items():
        shape = tuple(map(whole, state.type.shape))
        weight = Weight(name, 0, shape, *_begins(name, state.initial))
        states.append(Flat(name, str(state.type.dtype), whole(state.type.size), (weight,)))
    pretrained = bool(specification.origins)
    return Outline(specification.training.seed, specification.batch, tuple(flats), tuple(states), pretrained)


def _weight(piece: Piece, initial: Initial) -> Weight:
    return Weight(piece.name, whole(piece.offset), tuple(map(whole, piece.shape)), *_begins(piece.name, initial))


def _begins(name: str, initial: Initial) -> tuple[str, tuple[float, ...], int]:
    from .compiler.ops.random import stream_number

    return initial.word, initial.numbers, stream_number(name)


def _checked(origin: Origin) -> Specification:
    from .specification import check

    return check(origin.spec, overrides=origin.overrides, sizes=origin.sizes, allowed=origin.allowed)


def _same(origin: Origin, identity: str) -> Specification:
    """The specification that an outline was kept of. Raises InputError where the spec is another by now."""
    specification = _checked(origin)
    if identity_of(specification) != identity:
        raise InputError("spec-changed", "the spec was changed after it was compiled", "compile it again")
    return specification


def whole(size: Size) -> int:
    assert isinstance(size, int), size
    return size
