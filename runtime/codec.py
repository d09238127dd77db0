"""Plans as text and back. Reading is strict: a text that is no plan is refused, and nothing in it is run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from .plan import Affine, Buffer, Extent, Loop, Note, Operand, Plan, Port, Step, View

VERSION = 1


def to_json(plan: Plan) -> str:
    """The plan without its constants, which are arrays and are kept beside it."""
    data = {
        "version": plan.version,
        "target": plan.target,
        "rows": plan.rows,
        "arena": plan.arena,
        "buffers": [list(b) for b in plan.buffers],
        "inputs": [_port(p) for p in plan.inputs],
        "results": [_port(p) for p in plan.results],
        "sizes": [_item(i) for i in plan.sizes],
        "prepare": [_item(i) for i in plan.prepare],
        "steps": [_item(i) for i in plan.steps],
        "notes": [list(n) for n in plan.notes],
    }
    return json.dumps(data, separators=(",", ":"))


def from_json(text: str, constants: Mapping[str, Any] | None = None) -> Plan:
    """The plan that `to_json` wrote. Raises ValueError for anything else."""
    try:
        data = json.loads(text)
        if data["version"] != VERSION:
            raise ValueError(f"the plan has version {data['version']}, this program runs version {VERSION}")
        return Plan(
            _whole(data["rows"]),
            _whole(data["arena"]),
            tuple(Buffer(str(n), str(d), _whole(s), h, _whole(o)) for n, d, s, h, o in data["buffers"]),
            tuple(map(_read_port, data["inputs"])),
            tuple(map(_read_port, data["results"])),
            tuple(map(_read_item, data["sizes"])),
            tuple(map(_read_item, data["prepare"])),
            tuple(map(_read_item, data["steps"])),
            tuple(Note(*n) for n in data["notes"]),
            data["version"],
            str(data["target"]),
            dict(constants or {}),
        )
    except (KeyError, TypeError, RecursionError) as fault:
        raise ValueError(f"not a plan: {fault}") from None


def _port(port: Port) -> list[Any]:
    return [port.name, _view(port.view), port.dtype]


def _read_port(data: Any) -> Port:
    name, view, dtype = data
    return Port(str(name), _read_view(view), str(dtype))


def _item(item: Step | Loop) -> Any:
    if isinstance(item, Loop):
        body = [_item(i) for i in item.body]
        return {"loop": [item.start, item.length, _extent(item.extent), item.chunk, body, item.reverse]}
    writes, reads = [_view(v) for v in item.writes], [_operand(o) for o in item.reads]
    return [item.instruction, writes, reads, [list(a) for a in item.attributes], item.note]


def _read_item(data: Any) -> Step | Loop:
    if isinstance(data, dict):
        start, length, extent, chunk, body, reverse = data["loop"]
        items = tuple(map(_read_item, body))
        return Loop(str(start), str(length), _read_extent(extent), _whole(chunk), items, bool(reverse))
    instruction, writes, reads, attributes, note = data
    return Step(
        str(instruction),
        tuple(map(_read_view, writes)),
        tuple(map(_read_operand, reads)),
        tuple((str(name), _frozen(value)) for name, value in attributes),
        _whole(note),
    )


def _view(view: View) -> list[Any]:
    shape, strides = [_extent(e) for e in view.shape], [_extent(e) for e in view.strides]
    return [view.buffer, _extent(view.offset), shape, strides]


def _read_view(data: Any) -> View:
    buffer, offset, shape, strides = data
    return View(_whole(buffer), _read_extent(offset), tuple(map(_read_extent, shape)), tuple(map(_read_extent, strides)))


def _operand(operand: Operand) -> Any:
    return {"view": _view(operand)} if isinstance(operand, View) else _extent(operand)


def _read_operand(data: Any) -> Any:
    if isinstance(data, dict) and "view" in data:
        return _read_view(data["view"])
    return data if isinstance(data, int | float) else _read_extent(data)


def _extent(extent: Any) -> Any:
    return {"affine": [extent.constant, extent.terms]} if isinstance(extent, Affine) else extent


def _read_extent(data: Any) -> Extent:
    if isinstance(data, dict):
        constant, terms = data["affine"]
        return Affine(_whole(constant), tuple((str(symbol), _whole(factor)) for symbol, factor in terms))
    return _whole(data)


def _frozen(value: Any) -> Any:
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


def _whole(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"expected a whole number, found {value!r}")
    return value
