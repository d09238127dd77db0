"""A spec with a batch for it: what all contenders are given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..compiler.ir import dims
from ..compiler.ir.graph import DATA, TARGET, Graph, Node
from ..compiler.ir.rewrite import bind
from ..compiler.ir.types import Tensor
from ..compiler.ops.index import Gather, OneHot, Pick
from ..compiler.ops.normal import CrossEntropy
from ..compiler.ops.random import Draw
from ..compiler.passes.sequence import run
from ..compiler.pipeline import graph_passes
from ..compiler.schedule.target import native
from ..program import Program
from ..runtime.errors import InputError
from ..specification import Specification
from ..training import dataset
from .job import BATCH, STATE, WEIGHT, Arrays


@dataclass(frozen=True)
class Case:
    """A spec at a path, with what it was given, and so many samples."""

    specification: Specification
    path: str
    overrides: Mapping[str, str]
    sizes: Mapping[str, int]
    rows: int
    batch: Arrays

    @property
    def trains(self) -> bool:
        return bool(self.specification.phases.traced["train"].losses)

    @property
    def draws(self) -> bool:
        """Whether training draws random numbers, other ones in each framework."""
        return self.trains and any(isinstance(n.op, Draw) for n in self.specification.phases.forward.nodes)

    @property
    def flops(self) -> int:
        """Floating-point operations of a training step, after the passes of the native backend: what causal attention
        leaves out does not count, a convolution counts as a direct one."""
        graph = bind(self.specification.phases.train, {**self.sizes, "N": self.rows})
        return sum(_flops(n) for n in run(graph, graph_passes(native())).nodes)

    def write(self, path: Path) -> None:
        """The file that contenders begin with: first weights and states, and the batch."""
        program = Program(self.specification)
        arrays = {WEIGHT: program.parameters, STATE: program.states, BATCH: self.batch}
        np.savez(path, **{f"{kind}{n}": a for kind, some in arrays.items() for n, a in some.items()})  # type: ignore[arg-type]


def case(
    specification: Specification, path: str, overrides: Mapping[str, str], sizes: Mapping[str, int], rows: int | None
) -> Case:
    """The case of a spec: samples of its training data, or drawn ones where it has no data.

    Raises InputError where a size has no number, DataError where data are at fault.
    """
    graph = specification.phases.train if specification.phases.traced["train"].losses else specification.phases.predict
    if specification.recipe is None:
        count = rows or 32
        batch = _drawn(graph, count, sizes)
    else:
        batch = _sampled(Program(specification), rows)
        count = len(next(iter(batch.values())))
    return Case(specification, path, overrides, {**specification.sizes, **sizes}, count, batch)


def _sampled(program: Program, rows: int | None) -> Arrays:
    data = dataset(program)
    found: list[Arrays] = []
    wanted = rows or program.batch
    for batch in data.batches("train", epoch=1):
        found.append({name: np.array(array) for name, array in batch.items()})
        if sum(len(next(iter(b.values()))) for b in found) >= wanted:
            break
    return {name: np.concatenate([b[name] for b in found])[:wanted] for name in found[0]}


def _drawn(graph: Graph, rows: int, sizes: Mapping[str, int]) -> Arrays:
    """Numbers for every input: normal ones, truths, or whole ones in the range that their use allows."""
    random = np.random.default_rng(0)
    batch: dict[str, np.ndarray] = {}
    for name, node in graph.named_inputs(DATA, TARGET).items():
        shape = tuple(dims.substitute(size, {**sizes, "N": rows}) for size in node.shape)
        free = sorted({n for size in shape for n in dims.names(size)})
        if free:
            raise InputError("unbound-size", f"the size {free[0]} has no number", f"give it one: --size {free[0]}=16")
        numbers = tuple(int(str(size)) for size in shape)
        if node.dtype.is_float:
            batch[name] = random.standard_normal(numbers).astype(_numpy(node.tensor))
        else:
            batch[name] = random.integers(0, _bound(graph, node), numbers).astype(_numpy(node.tensor))
    return batch


def _numpy(type: Tensor) -> str:
    from ..compiler.ir.graph import numpy_name

    return numpy_name(type.dtype)


def _bound(graph: Graph, wanted: Node) -> int:
    """Whole numbers below this are allowed wherever an input, or the same numbers in another shape, are an index."""
    same, bounds = {wanted}, [2 if not wanted.dtype.is_integer else 1 << 30]
    for node in graph.nodes:
        if node.inputs and node.inputs[0] in same and node.op.view:
            same.add(node)
        for i, n in enumerate(node.inputs):
            if n in same:
                bounds += [size for size in _indexed(node, i) if isinstance(size, int)]
    least = min(bounds)
    return 2 if least == 1 << 30 else least


def _indexed(node: Node, operand: int) -> list[dims.Size]:
    """The size of what an operand of a node counts, if it is an index."""
    match node.op:
        case Gather() if operand == 1:
            return [node.inputs[0].shape[0]]
        case Pick() | CrossEntropy() if operand == 1:
            return [node.inputs[0].shape[-1]]
        case OneHot(depth=depth):
            return [depth]
    return []


def _flops(node: Node) -> int:
    found = node.op.flops(*(t for n in node.inputs for t in n.types))
    assert isinstance(found, int), node
    return found
