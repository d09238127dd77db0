"""Plans as JSON and back. Reading trusts nothing: what is not exactly a plan is refused with the place in the text.

Whether its steps can run is for `verifier`. That a view lies in its buffer is decided once more when it is bound to a
count, by NumPy, for every single view.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import numpy as np

from .arrays import INSTRUCTIONS
from .plan import (
    COUNT,
    Affine,
    Attribute,
    Buffer,
    Extent,
    Loop,
    Note,
    Operand,
    Plan,
    Port,
    Step,
    View,
)  # fmt: skip

VERSION = 1
DTYPES = frozenset("f16 bf16 f32 f64 bool u8 i8 i32 u32 i64".split())
HOMES = frozenset(("arena", "named", "constant"))
DEEPEST = 16
T = TypeVar("T")


class NotAPlan(ValueError):
    """A text that is no plan of this version; says where and what was expected."""


def to_json(plan: Plan) -> str:
    """The plan as text. Numbers keep every bit; NaN and infinities are written as words."""
    return json.dumps(
        {
            "version": plan.version,
            "target": plan.target,
            "rows": plan.rows,
            "arena": plan.arena,
            "buffers": [list(b) for b in plan.buffers],
            "inputs": [_port(p) for p in plan.inputs],
            "results": [_port(p) for p in plan.results],
            "sizes": [_line(s) for s in plan.sizes],
            "prepare": [_line(s) for s in plan.prepare],
            "steps": [_line(s) for s in plan.steps],
            "notes": [list(n) for n in plan.notes],
            "constants": {name: _array(value) for name, value in plan.constants.items()},
        },
        allow_nan=False,
        separators=(",", ":"),
    )


def from_json(text: str) -> Plan:
    """The plan of a text. Raises NotAPlan."""
    try:
        data = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as mistake:
        raise NotAPlan(f"not JSON: {mistake}") from mistake
    return _Reader().plan(data)


def _port(port: Port) -> list[Any]:
    return [port.name, _view(port.view), port.dtype]


def _line(line: Step | Loop) -> dict[str, Any]:
    if isinstance(line, Loop):
        return {
            "for": line.start,
            "length": line.length,
            "extent": _extent(line.extent),
            "chunk": line.chunk,
            "reverse": line.reverse,
            "body": [_line(inner) for inner in line.body],
        }
    found: dict[str, Any] = {"do": line.instruction}
    found["writes"] = [_view(v) for v in line.writes]
    found["reads"] = [_operand(o) for o in line.reads]
    if line.attributes:
        found["with"] = {name: _attribute(value) for name, value in line.attributes}
    if line.note >= 0:
        found["note"] = line.note
    return found


def _view(view: View) -> list[Any]:
    return [view.buffer, _extent(view.offset), [_extent(e) for e in view.shape], [_extent(e) for e in view.strides]]


def _extent(extent: Extent) -> Any:
    return extent if isinstance(extent, int) else {"": extent.constant} | dict(extent.terms)


def _operand(operand: Operand) -> Any:
    match operand:
        case View():
            return _view(operand)
        case Affine():
            return _extent(operand)
    return _number(operand)


def _attribute(value: Attribute) -> Any:
    if isinstance(value, tuple):
        return [_attribute(v) for v in value]
    return {"text": value} if isinstance(value, str) else _number(value)


def _number(value: int | float | bool) -> Any:
    return value if isinstance(value, int) or math.isfinite(value) else str(float(value))


def _array(value: Any) -> dict[str, Any]:
    array = np.ascontiguousarray(value)
    import base64  # few plans have arrays of their own

    return {"dtype": array.dtype.str, "shape": array.shape, "data": base64.b64encode(array.tobytes()).decode("ascii")}


class _Reader:
    """Checks and builds. `path` says where in the text it is."""

    def __init__(self) -> None:
        self.path: list[str] = []
        self.buffers = 0
        self.notes = 0
        self.symbols: tuple[str, ...] = (COUNT,)

    def plan(self, data: Any) -> Plan:
        fields = "version target rows arena buffers inputs results sizes prepare steps notes constants".split()
        self.keys(data, fields)
        if data["version"] != VERSION:
            self.refuse(f"version {VERSION}", data["version"])
        buffers = self.each(data, "buffers", self.buffer)
        self.buffers = len(buffers)
        notes = self.each(data, "notes", self.note)
        self.notes = len(notes)
        rows, arena = self.inside("rows", self.count, data["rows"]), self.inside("arena", self.count, data["arena"])
        plan = Plan(
            rows,
            arena,
            buffers,
            self.each(data, "inputs", self.port),
            self.each(data, "results", self.port),
            self.each(data, "sizes", self.line),
            self.each(data, "prepare", self.line),
            self.each(data, "steps", self.line),
            notes,
            target=self.inside("target", self.text, data["target"]),
            constants=self.inside("constants", self.constants, data["constants"]),
        )
        self.homes(plan)
        return plan

    def homes(self, plan: Plan) -> None:
        """Every buffer lies where it says."""
        for buffer in plan.buffers:
            end = buffer.offset + buffer.size * (1 if buffer.dtype == "bool" else int(buffer.dtype.strip("bfiu")) // 8)
            if buffer.home == "arena" and end > plan.arena:
                self.refuse(f"a buffer that ends before {plan.arena}", list(buffer))
            if buffer.home == "constant" and buffer.name not in plan.constants:
                self.refuse("a constant that is there", buffer.name)

    def refuse(self, expected: str, found: object) -> Any:
        shown = repr(found)
        where = ".".join(self.path) or "the plan"
        raise NotAPlan(f"{where}: expected {expected}, found {shown[:60] + '…' * (len(shown) > 60)}")

    def inside(self, name: str, read: Callable[[Any], T], value: Any) -> T:
        self.path.append(name)
        result = read(value)
        self.path.pop()
        return result

    def keys(self, data: Any, needed: list[str], optional: tuple[str, ...] = ()) -> None:
        if not isinstance(data, dict) or not set(needed) <= data.keys() <= {*needed, *optional}:
            self.refuse(f"the fields {', '.join(needed)}", data if not isinstance(data, dict) else sorted(data))

    def each(self, data: Mapping[str, Any], name: str, read: Callable[[Any], T]) -> tuple[T, ...]:
        return self.inside(name, lambda values: self.items(values, read), data[name])

    def items(self, values: Any, read: Callable[[Any], T]) -> tuple[T, ...]:
        if not isinstance(values, list):
            self.refuse("a list", values)
        return tuple(self.inside(str(i), read, v) for i, v in enumerate(values))

    def fields(self, value: Any, count: int) -> list[Any]:
        if not isinstance(value, list) or len(value) != count:
            self.refuse(f"a list of {count}", value)
        return list(value)

    def whole(self, value: Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or abs(value) >= 1 << 62:
            self.refuse("a whole number", value)
        return int(value)

    def count(self, value: Any) -> int:
        return self.whole(value) if not isinstance(value, int) or value >= 0 else self.refuse("no negative", value)

    def text(self, value: Any) -> str:
        return value if isinstance(value, str) else self.refuse("a text", value)

    def among(self, value: Any, allowed: frozenset[str] | Mapping[str, object], what: str) -> str:
        return value if isinstance(value, str) and value in allowed else self.refuse(what, value)

    def buffer(self, value: Any) -> Buffer:
        name, dtype, size, home, offset = self.fields(value, 5)
        return Buffer(
            self.text(name),
            self.among(dtype, DTYPES, "an element type"),
            self.count(size),
            self.among(home, HOMES, "arena, named or constant"),  # type: ignore[arg-type]
            self.count(offset),
        )

    def note(self, value: Any) -> Note:
        formula, place = self.fields(value, 2)
        return Note(self.text(formula), self.text(place))

    def port(self, value: Any) -> Port:
        name, view, dtype = self.fields(value, 3)
        return Port(self.text(name), self.view(view), self.among(dtype, DTYPES, "an element type"))

    def view(self, value: Any) -> View:
        buffer, offset, shape, strides = self.fields(value, 4)
        if self.count(buffer) >= self.buffers:
            self.refuse(f"one of {self.buffers} buffers", buffer)
        sizes, steps = (self.items(v, self.extent) for v in (shape, strides))
        if len(sizes) != len(steps):
            self.refuse("a stride for each axis", value)
        return View(buffer, self.extent(offset), sizes, steps)

    def extent(self, value: Any) -> Extent:
        if not isinstance(value, dict):
            return self.whole(value)
        terms = [(s, self.whole(f)) for s, f in value.items() if s]
        for symbol, _ in terms:
            if symbol not in self.symbols:
                self.refuse(f"a symbol among {', '.join(self.symbols)}", symbol)
        return Affine(self.whole(value.get("", 0)), tuple(terms))

    def operand(self, value: Any) -> Operand:
        if isinstance(value, list):
            return self.view(value)
        if isinstance(value, dict):
            return self.extent(value)
        return self.number(value)

    def number(self, value: Any) -> int | float | bool:
        if value in ("nan", "inf", "-inf"):
            return float(value)
        return value if isinstance(value, int | float) else self.refuse("a number", value)

    def attribute(self, value: Any) -> Attribute:
        if isinstance(value, list):
            if len(self.path) > 4 * DEEPEST:
                self.refuse("less depth", value)
            return tuple(self.inside("", self.attribute, v) for v in value)
        if isinstance(value, dict):
            self.keys(value, ["text"])
            return self.text(value["text"])
        return self.number(value)

    def line(self, value: Any) -> Step | Loop:
        if isinstance(value, dict) and "for" in value:
            return self.loop(value)
        self.keys(value, ["do", "writes", "reads"], ("with", "note"))
        note = value.get("note", -1)
        if "note" in value and self.count(note) >= self.notes:
            self.refuse(f"one of {self.notes} notes", note)
        attributes = value.get("with", {})
        if not isinstance(attributes, dict):
            self.refuse("attributes by name", attributes)
        return Step(
            self.among(value["do"], INSTRUCTIONS, "an instruction"),
            self.each(value, "writes", self.view),
            self.each(value, "reads", self.operand),
            tuple((name, self.inside(name, self.attribute, v)) for name, v in attributes.items()),
            note,
        )

    def loop(self, value: Any) -> Loop:
        self.keys(value, ["for", "length", "extent", "chunk", "reverse", "body"])
        start, length = self.text(value["for"]), self.text(value["length"])
        extent = self.extent(value["extent"])
        chunk = self.count(value["chunk"])
        if not chunk or not isinstance(value["reverse"], bool) or {start, length} & set(self.symbols) or not start:
            self.refuse("a loop over new symbols in whole chunks", [start, length, chunk, value["reverse"]])
        if len(self.symbols) > DEEPEST:
            self.refuse(f"at most {DEEPEST // 2} loops inside each other", start)
        outer, self.symbols = self.symbols, (*self.symbols, start, length)
        body = self.each(value, "body", self.line)
        self.symbols = outer
        return Loop(start, length, extent, chunk, body, value["reverse"])

    def constants(self, value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            self.refuse("arrays by name", value)
        return {self.text(name): self.inside(name, self.array, array) for name, array in value.items()}

    def array(self, value: Any) -> Any:
        import base64

        self.keys(value, ["dtype", "shape", "data"])
        shape = self.items(value["shape"], self.count)
        try:
            dtype = np.dtype(self.text(value["dtype"]))
            raw = base64.b64decode(self.text(value["data"]), validate=True)
            if dtype.hasobject:
                self.refuse("numbers", value["dtype"])
            return np.frombuffer(raw, dtype).reshape(shape)
        except (TypeError, ValueError) as mistake:
            raise NotAPlan(f"{'.'.join(self.path)}: {mistake}") from mistake
