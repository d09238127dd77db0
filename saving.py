"""A program to a file that runs without a compiler: weights by name, the plan of predict, and how to prepare data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .compiler.generation.growth import Growth
from .compiler.ir import dims
from .compiler.ir.evaluate import read_shape
from .compiler.ir.graph import DATA, Graph
from .compiler.parameters import Piece
from .compiler.pipeline import compile_graph
from .compiler.rows import independent
from .program import Program
from .runtime import archive
from .runtime.codec import to_json
from .runtime.data import recipe as recipes
from .runtime.data.dataset import Dataset
from .runtime.errors import InputError
from .runtime.generation.request import LIMIT
from .runtime.generation.saved import written_down
from .runtime.model import AVERAGE, FORMAT
from .start import whole


def save(program: Program, path: Path) -> None:
    """Writes the model to `path`, whole or not at all."""
    archive.write(path, program.model_arrays(), metadata(program, program.data))


def metadata(program: Program, data: Dataset | None) -> dict[str, str]:
    """The texts of a model file besides its arrays."""
    graph = program.specification.phases.predict
    sizes = _sizes(graph, data, program)
    plan = compile_graph(graph, rows=program.batch, sizes=sizes)
    texts = {"axonc": FORMAT, "plan": to_json(plan), "model": json.dumps(_facts(program, graph, sizes))}
    if data is not None:
        texts["data"] = json.dumps({"recipe": recipes.to_json(data.recipe), "learned": data.learned})
    if program.specification.growth is not None:
        texts |= _writing(program.specification.growth, program, data)
    return texts


def _writing(growth: Growth, program: Program, data: Dataset | None) -> dict[str, str]:
    """The texts that let the model write; none where an input that does not grow has sizes without numbers."""
    from .generation import ROWS, settings_of, step_plans

    grown, known = growth.section.input, _known_sizes(growth.graph, data, program)
    others = {name: node for name, node in growth.graph.named_inputs(DATA).items() if name != grown}
    inputs = {n: (str(i.dtype), [dims.substitute(s, known) for s in i.shape[1:]]) for n, i in others.items()}
    if any(dims.names(size) for _, shape in inputs.values() for size in shape):
        return {}
    sizes = {name: size for name, size in known.items() if name != growth.length}
    settings = settings_of(growth)
    rows = min(ROWS, max(program.batch, settings.beam or 1))
    try:
        plans = step_plans(growth, sizes, rows, settings.limit or LIMIT)
    except InputError:  # the length of a text, which is fixed, has no number yet
        return {}
    return written_down(plans | {"seed": program.seed}, settings, inputs)


def _facts(program: Program, graph: Graph, sizes: dict[str, int]) -> dict[str, Any]:
    """What a reader must know besides the plan."""
    specification = program.specification
    ranges = [
        [used.name, str(r.dtype), whole(r.total), [_piece(p, AVERAGE if used != r else "") for p in r.pieces]]
        for r, used in zip(specification.ranges, specification.phases.used, strict=True)
    ]
    inputs = [
        [name, str(n.dtype), [dims.substitute(s, sizes) for s in n.shape[1:]]]
        for name, n in graph.named_inputs(DATA).items()
    ]
    return {
        "name": specification.name,
        "inputs": inputs,
        "outputs": [n for n, _ in graph.results],
        "ranges": ranges,
        "states": list(specification.states),
        "independent": independent(graph),
        "seed": program.seed,
    }


def _piece(piece: Piece, prefix: str) -> list[Any]:
    return [prefix + piece.name, whole(piece.offset), [*map(whole, piece.shape)]]


def _sizes(graph: Graph, data: Dataset | None, program: Program) -> dict[str, int]:
    """Numbers for the sizes that are free but for the batch: those of the data, or of the last batch that was seen."""
    found = _known_sizes(graph, data, program)
    free = sorted({n for node in graph.inputs for s in node.shape[1:] for n in dims.names(s)} - found.keys())
    if free:
        advice = "give them in `sizes` when compiling, or predict or train once"
        raise InputError("unbound-size", f"the sizes {', '.join(free)} have no numbers yet", advice)
    return found


def _known_sizes(graph: Graph, data: Dataset | None, program: Program) -> dict[str, int]:
    """The numbers of sizes that the data, or the last batch that was seen, say."""
    found: dict[str, int] = dict(program.seen_sizes)
    for name, node in graph.named_inputs(DATA).items():
        if data is not None and name in data.fields:
            found |= read_shape(node.shape[1:], data.fields[name].shape)
    return found
