"""Schedule to NumPy code: nests become ufunc instructions with scratch, library calls the instructions they need."""

from __future__ import annotations

from collections.abc import Callable
from math import copysign

from ...runtime.plan import Attribute
from ..ir.bfloat import pattern
from ..ir.dims import Size
from ..ir.scalar import Expr
from ..ir.types import BF16, F32, U32, DType, Shape, Tensor
from ..schedule.code import Code, Instruction
from ..schedule.kernel import Call, Nest, Number, Operand, Schedule, Window, fresh
from ..schedule.layout import expand, is_contiguous
from .emitter import Emitter, Rules
from .mathematics import in_single, simplest
from .scalars import program

LINE, LONGEST = 512, 8192  # elements


def emit(schedule: Schedule, rules: Rules) -> Code:
    """The instructions of a schedule; `rules` says how each operation that is neither arithmetic nor a view runs."""
    return NumpyEmitter(rules).emit(schedule)


class NumpyEmitter(Emitter):
    """Appends entries of the instruction table."""

    def __init__(self, rules: Rules) -> None:
        super().__init__(rules)
        self._made: dict[tuple[object, ...], Window] = {}
        self.draws: dict[tuple[object, ...], int] = {}  # lines that draw, by scope, key and step

    def nest(self, nest: Nest, call: Call) -> None:
        attributes = program(nest, len(call.reads))
        if attributes is None:
            Arithmetic(self, nest, call).emit()
        else:
            given = tuple(attributes.items())
            self.lines.append(Instruction("scalars", call.writes, call.reads, given, note=self.note))

    def fill(self, out: Window, value: Number) -> None:
        self.add("fill", (out,), (), value=pattern(value) if out.dtype is BF16 else value)

    def copy(self, out: Window, x: Window, *, replaces: tuple[int, ...] = ()) -> None:
        """NumPy has no bf16, so what it converts to and from is f32."""
        if out.dtype is x.dtype or BF16 not in (out.dtype, x.dtype):
            self.add("copy", (out,), (x,), replaces=replaces)
        elif F32 not in (out.dtype, x.dtype):
            self.copy(out, self.copied(x, F32))
        elif x.dtype is BF16:
            self.add("widen", (out,), (x,))
        else:
            self.add("narrow", (out, self.scratch(out.type.with_dtype(U32))), (x,))

    def plus(self, total: Window, part: Window) -> None:
        self.add("add", (total,), (total, part), replaces=(0, 1))

    def add(
        self,
        name: str,
        writes: tuple[Window, ...],
        reads: tuple[Operand | Size, ...],
        *,
        replaces: tuple[int, ...] = (),
        tied: bool = False,
        **attributes: Attribute,
    ) -> None:
        given = tuple(attributes.items())
        self.lines.append(Instruction(name, writes, reads, given, replaces, tied, self.note))

    def filled(self, value: float, dtype: DType, size: Size) -> Window:
        """A vector of equal numbers, made once for each count."""
        return self.made_once(f"all_{value:g}", Tensor(dtype, (size,)), "fill", (), value=value)

    def made_once(
        self, name: str, type: Tensor, instruction: str, reads: tuple[Operand | Size, ...], **attributes: Attribute
    ) -> Window:
        """What an instruction gives that depends on nothing but the count, made when that changes."""
        given = tuple(attributes.items())
        whole = self.bounded(type)
        key = (whole, instruction, reads, given)
        if key not in self._made:
            window = self._made[key] = fresh(name, whole)
            self.phases[0].append(Instruction(instruction, (window,), reads, given))
        return self._made[key]._replace(shape=type.shape)


class Arithmetic:
    """The instructions of one nest: each expression once, into its destination or scratch."""

    def __init__(self, emitter: NumpyEmitter, nest: Nest, call: Call) -> None:
        self.emitter = emitter
        self.shape = nest.shape
        self.stores = [simplest(in_single(e)) for e in nest.stores]
        self.call = call
        self.values: dict[Expr, Operand] = {}
        self.targets: dict[Expr, Window] = {}

    def emit(self) -> None:
        for expression, target in zip(self.stores, self.call.writes, strict=True):
            if expression.word not in ("load", "const"):
                self.targets.setdefault(expression, target)
        for expression, target in zip(self.stores, self.call.writes, strict=True):
            value = self.value(expression)
            if not isinstance(value, Window):
                self.emitter.fill(target, value)
            elif value != target:
                self.emitter.copy(target, value, replaces=(0,) if value.shape == target.shape else ())

    def value(self, root: Expr) -> Operand:
        """The place of an expression, computed after its operands; a stack of our own, since chains are deep."""
        stack = [root]
        while stack:
            top = stack[-1]
            missing = [o for o in top.operands if o not in self.values]
            if top in self.values:
                stack.pop()
            elif missing:
                stack += reversed(missing)
            else:
                self.values[top] = self._compute(stack.pop())
        return self.values[root]

    def _compute(self, x: Expr) -> Operand:
        if x.word == "const":
            return x.value
        if x.word == "load":
            read = self.call.reads[int(x.value)]
            return compact(read) if isinstance(read, Window) else read
        out = self.targets.get(x) or self.emitter.scratch(Tensor(x.dtype, self._shape(x)))
        reads = tuple(self._operand(o, x) for o in x.operands)
        EXPRESSIONS.get(x.word, _ufunc)(self.emitter, x, out, reads)
        return out

    def _shape(self, x: Expr) -> Shape:
        """The shape of an expression; what is read and converted need not be stretched yet."""
        read = self.values[x.operands[0]]
        return read.shape if x.word == "cast" and isinstance(read, Window) else self.shape

    def _operand(self, operand: Expr, user: Expr) -> Operand:
        """The operand's value; a number as memory where every operand is a number."""
        value = self.values[operand]
        if isinstance(value, Window) or any(isinstance(self.values[o], Window) for o in user.operands):
            return value
        out = self.emitter.scratch(Tensor(operand.dtype, ()))
        self.emitter.add("fill", (out,), (), value=value)
        return out


def compact(x: Window) -> Window:
    """The window without stretched axes: NumPy stretches by itself, and faster."""
    return x._replace(shape=tuple(1 if s == 0 else n for n, s in zip(x.shape, x.strides, strict=True)))


def matching(reads: tuple[Operand, ...], out: Window) -> tuple[int, ...]:
    """The operands that are as large as the result, element by element."""
    return tuple(
        i
        for i, r in enumerate(reads)
        if isinstance(r, Window) and r.shape == out.shape and r.dtype.bytes == out.dtype.bytes
    )


def _ufunc(emitter: NumpyEmitter, x: Expr, out: Window, reads: tuple[Operand, ...]) -> None:
    given = tuple(_repeated(emitter, r, out) for r in reads)
    emitter.add(x.word, (out,), given, replaces=matching(reads, out))


def _repeated(emitter: NumpyEmitter, x: Operand, out: Window) -> Operand:
    """A short vector that is stretched over all rows, side by side as often as makes NumPy's loops long."""
    rank = len(out.shape)
    if not isinstance(x, Window) or x.shape == () or x.shape[-1] == 1 or any(n != 1 for n in x.shape[:-1]):
        return x
    first, length = rank - 1, out.shape[-1]
    while first > 0 and isinstance(length, int) and length < LINE:
        first -= 1
        length = length * out.shape[first]
    if not 0 < first < rank - 1 or not isinstance(length, int) or length > LONGEST or not is_contiguous(out):
        return x
    line = emitter.scratch(Tensor(x.dtype, out.shape[first:]), "line")
    emitter.copy(line, expand(x._replace(shape=x.shape[-1:], strides=x.strides[-1:]), line.shape))
    return line


def _where(emitter: NumpyEmitter, x: Expr, out: Window, reads: tuple[Operand, ...]) -> None:
    """A choice without branches, but where a mask that repeats, which a processor foresees, chooses of two arrays."""
    condition, yes, no = reads
    stretched = not isinstance(condition, Window) or condition.shape != out.shape
    if not stretched and no == 0 and not isinstance(no, Window) and copysign(1.0, no) > 0:
        emitter.add("keep", (out,), (condition, yes))
    elif not stretched:
        emitter.add("blend", (out, emitter.scratch(out.type)), reads)
    elif isinstance(condition, Window) and isinstance(yes, Window) and not isinstance(no, Window):
        masks = (emitter.scratch(Tensor(out.dtype, condition.shape), "mask") for _ in range(2))
        over = (1,) if matching((yes,), out) else ()
        emitter.add("mask", (out, *masks), (condition, yes), replaces=over, value=no)
    else:
        emitter.add("select", (out,), reads, replaces=tuple(i for i in matching(reads, out) if i == 2))


def _cast(emitter: NumpyEmitter, x: Expr, out: Window, reads: tuple[Operand, ...]) -> None:
    (value,) = reads
    if isinstance(value, Window):
        emitter.copy(out, value)
    else:
        emitter.fill(out, value)


EXPRESSIONS: dict[str, Callable[[NumpyEmitter, Expr, Window, tuple[Operand, ...]], None]] = {
    "where": _where,
    "cast": _cast,
}
