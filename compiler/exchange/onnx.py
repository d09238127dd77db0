"""A graph with its weights as an ONNX model: values by the names of the spec, sizes open where the graph's are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from ...spec.source import CompileError
from ..ir.dims import Dim, Floor, Size
from ..ir.graph import PARAMETER, STATE, Builder, Graph, Input, Item, Node
from ..ir.op import Op
from ..ir.rewrite import rewrite
from ..ir.types import DType, Shape, Tensor
from ..passes.sequence import everywhere
from ..passes.unused import drop_unused
from .errors import NotInOnnx
from .onnx_operations import OPERATIONS, REFUSED

Arrays: TypeAlias = Mapping[str, np.ndarray]
OPSET, FORMAT = 21, 10  # what ONNX Runtime has read since 1.18
DTYPES = {
    DType.F16: TensorProto.FLOAT16,
    DType.BF16: TensorProto.BFLOAT16,
    DType.F32: TensorProto.FLOAT,
    DType.F64: TensorProto.DOUBLE,
    DType.BOOL: TensorProto.BOOL,
    DType.U8: TensorProto.UINT8,
    DType.I8: TensorProto.INT8,
    DType.I32: TensorProto.INT32,
    DType.U32: TensorProto.UINT32,
    DType.I64: TensorProto.INT64,
}


def model(graph: Graph, arrays: Arrays, name: str) -> bytes:
    """The file of a graph; `arrays` are its weights and states.

    Raises CompileError with every operation that ONNX cannot say.
    """
    known = drop_unused(_in_words(graph))
    wrong = {n.place: NotInOnnx(n.place, n.op.word, REFUSED[type(n.op)]) for n in _refused(known)}
    if wrong:
        raise CompileError(tuple(wrong.values()))
    writer = Writer(name)
    body = writer.body(known, arrays)
    opsets = [helper.make_opsetid("", OPSET)]
    made = helper.make_model(body, opset_imports=opsets, ir_version=FORMAT, producer_name="axonc")
    onnx.checker.check_model(made, full_check=True)
    text: bytes = made.SerializeToString()
    return text


@everywhere
def _in_words(graph: Graph) -> Graph:
    """The graph in operations that stand in the table, those that are refused aside."""
    return rewrite(graph, builder=_Known)


def _refused(graph: Graph) -> Iterator[Node]:
    for node in graph.nodes:
        if type(node.op) in REFUSED:
            yield node
        for name in node.op.bodies:
            yield from _refused(getattr(node.op, name))


class _Known(Builder):
    """A Builder that makes simpler operations of those that ONNX has no word for."""

    def add(self, op: Op, *inputs: Node, name: str = "", like: Node | None = None) -> Node:
        made = None if type(op) in OPERATIONS else op.expand(self, *inputs)
        return super().add(op, *inputs, name=name, like=like) if made is None else made

    def keep(self, node: Node) -> Node:
        made = None if type(node.op) in OPERATIONS else node.op.expand(self, *node.inputs)
        return super().keep(node) if made is None else made


class Writer:
    """Makes ONNX nodes; those of a loop's body have a writer of their own, whose `outer` makes what is needed once."""

    def __init__(self, name: str, outer: Writer | None = None) -> None:
        self.name = name
        self.root: Writer = outer.root if outer else self
        self.nodes: list[onnx.NodeProto] = []
        self.values: dict[Node, str] = {}
        self.items: dict[Node, list[str]] = {}
        if outer is None:
            self.constants: dict[tuple[str, tuple[int, ...], bytes], str] = {}
            self.weights: list[onnx.TensorProto] = []
            self.sizes: dict[str, str] = {}
            self.count = 0
            self.taken: set[str] = set()

    # What operations write with

    def add(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """A node of one result; the name of the result."""
        return self.several(kind, 1, *inputs, **attributes)[0]

    def several(self, kind: str, results: int, *inputs: str, **attributes: Any) -> list[str]:
        names = [self.fresh() for _ in range(results)]
        self.nodes.append(helper.make_node(kind, list(inputs), names, name=f"{kind}_{names[0]}", **attributes))
        return names

    def fresh(self) -> str:
        """A name that no other value has."""
        root = self.root
        while True:
            root.count += 1
            name = f"v{root.count}"
            if name not in root.taken:
                return name

    def constant(self, value: Any, dtype: Any = None) -> str:
        """A value that is known, once for all."""
        array = np.asarray(value, dtype, order="C")
        root, key = self.root, (array.dtype.str, array.shape, array.tobytes())
        if key not in root.constants:
            root.constants[key] = self.fresh()
            root.weights.append(numpy_helper.from_array(array, root.constants[key]))
        return root.constants[key]

    def typed(self, value: Any, dtype: DType) -> str:
        """A known value of one of our dtypes; NumPy has no bf16 of its own, but ONNX brings one."""
        return self.constant(value, helper.tensor_dtype_to_np_dtype(DTYPES[dtype]))

    def number(self, value: float, like: Tensor) -> str:
        """A scalar of the dtype of a tensor."""
        return self.typed(value, like.dtype)

    def whole(self, *values: int) -> str:
        """A vector of whole numbers."""
        return self.constant(values, np.int64)

    def size(self, size: Size) -> str:
        """A size as a vector of one element."""
        return self.whole(size) if isinstance(size, int) else self.root._open(size)

    def vector(self, sizes: Sequence[Size]) -> str:
        """Sizes as a vector."""
        if all(isinstance(size, int) for size in sizes):
            return self.constant(sizes, np.int64)
        return self.add("Concat", *map(self.size, sizes), axis=0)

    def scalar(self, size: Size, dtype: DType) -> str:
        """A size as a scalar of a dtype."""
        if isinstance(size, int):
            return self.typed(size, dtype)
        return self.cast(self.add("Squeeze", self.size(size), self.whole(0)), dtype)

    def cast(self, x: str, dtype: DType) -> str:
        return self.add("Cast", x, to=DTYPES[dtype])

    def reshape(self, x: str, shape: Shape) -> str:
        free = [i for i, size in enumerate(shape) if not isinstance(size, int)]
        if len(free) == 1 and 0 not in shape:
            return self.add("Reshape", x, self.whole(*(-1 if i in free else int(str(s)) for i, s in enumerate(shape))))
        return self.add("Reshape", x, self.vector(shape), allowzero=1)

    def transpose(self, x: str, order: Sequence[int]) -> str:
        return x if list(order) == list(range(len(order))) else self.add("Transpose", x, perm=list(order))

    # Graphs

    def body(self, graph: Graph, arrays: Arrays) -> onnx.GraphProto:
        """The whole graph: data are its inputs, weights and states its initialisers."""
        given = {n.op.name for n in graph.inputs if isinstance(n.op, Input)}
        results = [f"{name}.output" if name in given else name for name, _ in graph.results]
        self.taken = given | set(results)
        inputs = []
        for node in graph.inputs:
            assert isinstance(node.op, Input)
            name = self.values[node] = node.op.name
            if node.op.role in (PARAMETER, STATE):
                self.weights.append(numpy_helper.from_array(np.asarray(arrays[name], order="C"), name))
            else:
                inputs.append(self.declared(name, node.tensor))
                self._measure(name, node.shape)
        self.run(graph)
        return self.finished(graph, results, inputs, self.weights)

    def run(self, graph: Graph) -> None:
        """Writes every node."""
        for node in graph.nodes:
            if isinstance(node.op, Input):
                continue
            if isinstance(node.op, Item):
                self.values[node] = self.items[node.inputs[0]][node.op.index]
                continue
            made = OPERATIONS[type(node.op)](self, node, *(self.values[n] for n in node.inputs))
            if isinstance(made, str):
                self.values[node] = made
            else:
                self.items[node] = made

    def finished(
        self,
        graph: Graph,
        names: Sequence[str],
        inputs: Sequence[onnx.ValueInfoProto],
        weights: Sequence[onnx.TensorProto] = (),
    ) -> onnx.GraphProto:
        """The ONNX graph of what was written, with results under these names."""
        for name, (_, node) in zip(names, graph.results, strict=True):
            self.nodes.append(helper.make_node("Identity", [self.values[node]], [name], name=f"result_{name}"))
        outputs = [self.declared(name, node.tensor) for name, (_, node) in zip(names, graph.results, strict=True)]
        return helper.make_graph(self.nodes, self.name, list(inputs), outputs, list(weights))

    @staticmethod
    def declared(name: str, type: Tensor) -> onnx.ValueInfoProto:
        """A value of a graph with its type; open sizes by name."""
        shape = [size if isinstance(size, int) else str(size) for size in type.shape]
        return helper.make_tensor_value_info(name, DTYPES[type.dtype], shape)

    # Sizes

    def _measure(self, name: str, shape: Shape) -> None:
        """Reads the names of sizes off the shape of an input that says them: `16 * H` says H."""
        for axis, size in enumerate(shape):
            match size:
                case Dim(terms=(((((str(text), 1),), multiple)),)) if text not in self.sizes:
                    found = self.add("Shape", name, start=axis, end=axis + 1)
                    self.sizes[text] = found if multiple == 1 else self.add("Div", found, self.whole(multiple))

    def _open(self, size: Dim) -> str:
        key = str(size)
        if key not in self.sizes:
            terms = [self._term(factors, multiple) for factors, multiple in size.terms]
            total = terms[0]
            for term in terms[1:]:
                total = self.add("Add", total, term)
            self.sizes[key] = total
        return self.sizes[key]

    def _term(self, factors: Sequence[tuple[str | Floor, int]], multiple: int) -> str:
        found = [self.whole(multiple)] if multiple != 1 or not factors else []
        for atom, power in factors:
            found += [self._atom(atom)] * power
        total = found[0]
        for factor in found[1:]:
            total = self.add("Mul", total, factor)
        return total

    def _atom(self, atom: str | Floor) -> str:
        if isinstance(atom, str):
            return self.sizes[atom]
        return self.add("Div", self.size(atom.numerator), self.size(atom.denominator))
