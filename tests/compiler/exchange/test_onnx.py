"""Graphs as ONNX files mean in ONNX Runtime what their definitions say."""

from __future__ import annotations

from collections.abc import Mapping

import ml_dtypes
import numpy as np
import onnx
import onnxruntime
import pytest
from axonc.compiler.exchange.onnx import model
from axonc.compiler.exchange.onnx_operations import OPERATIONS, REFUSED
from axonc.compiler.ir.evaluate import evaluate
from axonc.compiler.ir.graph import DATA, Graph, Input, Item
from axonc.compiler.ir.op import Op
from axonc.compiler.ir.rewrite import bind
from axonc.program import Program
from axonc.spec.source import CompileError
from axonc.specification import check
from onnx.reference import ReferenceEvaluator

from ...examples.test_zoo import SMALL, made, small
from ..ops.graphs import graph_of, named, symbolic, type_of
from ..ops.samples import SAMPLES, WORDS, Sample

RANDOM = ("uniform", "normal", "bernoulli")  # made of random bits
BFLOAT = """
model bfloat
input x: bf16[N, 4]
y = relu(x * 0.1 + 1.5)
z = cast(y, f32)
output y
output z
"""
SAID = [word for word in WORDS if Op.words[word] not in REFUSED and word not in RANDOM]
SIZED = ("conv_input",)  # with other sizes the one that it is given is not that of its data


def run(graph: Graph, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The results of a graph whose inputs are all data, by ONNX Runtime."""
    return served(model(graph, {}, "one"), arrays)


def served(file: bytes, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What ONNX Runtime makes of a file."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, dict(arrays)), strict=True))


def f32(sample: Sample) -> dict[str, np.ndarray]:
    """The operands by name, floats as f32: what ONNX Runtime computes everything in."""
    return named(tuple(a.astype(np.float32) if a.dtype.kind == "f" else a for a in sample.arrays))


def test_every_operation_is_said_or_made_of_others_or_refused() -> None:
    composite = {kind for kind in Op.words.values() if kind.rule() == "expand"}
    assert OPERATIONS.keys() | REFUSED.keys() | composite | {Input, Item} == set(Op.words.values())
    assert not OPERATIONS.keys() & REFUSED.keys()


@pytest.mark.parametrize("word", SAID)
def test_an_operation_in_onnx_gives_what_its_definition_gives(word: str) -> None:
    for sample in SAMPLES[word]:
        arrays = f32(sample)
        for kind in (type_of,) if word in SIZED else (type_of, symbolic):
            graph = graph_of(sample.op, [kind(a) for a in arrays.values()])
            found, wanted = run(graph, arrays), evaluate(graph, arrays)
            for name, array in wanted.items():
                assert found[name].dtype == array.dtype, sample
                assert found[name].shape == array.shape, sample
                np.testing.assert_allclose(found[name], array, 1e-5, 2e-6, err_msg=str(sample))


@pytest.mark.parametrize("name", SMALL)
def test_a_model_of_the_zoo_predicts_in_onnx_runtime_what_it_predicts_here(name: str) -> None:
    program = Program(check(small(name), overrides=SMALL[name]), seed=1)
    graph = program.specification.phases.outputs
    batch = made(program.specification.phases.train, SMALL[name])
    inputs = {name: batch[name] for name in graph.named_inputs(DATA)}
    file = model(graph, program.parameters | program.states, name)
    for rows in (6, 2):
        some = {name: array[:rows] for name, array in inputs.items()}
        found, wanted = served(file, some), program.predict(some)
        assert [output.removesuffix(".output") for output in found] == list(wanted)
        for array, other in zip(found.values(), wanted.values(), strict=True):
            assert array.shape == other.shape
            np.testing.assert_allclose(array, other, 1e-4, 1e-5 * max(1.0, float(np.abs(other).max())))


def test_sizes_that_are_open_in_the_spec_are_open_in_the_file_under_their_names() -> None:
    program = Program(check(small("lstm_classifier"), overrides=SMALL["lstm_classifier"]))
    file = onnx.load_from_string(model(program.specification.phases.outputs, program.parameters, "lstm"))
    shapes = {i.name: [d.dim_param for d in i.type.tensor_type.shape.dim] for i in file.graph.input}
    assert shapes == {"tokens": ["N", "T"], "length": ["N"]}


def test_a_loop_that_goes_backwards_is_said() -> None:
    spec = """axonc 1
input x: f32[N, 5, 3]
states, final = x |> rnn_pass(4, reverse = true)
output states
output final
"""
    program = Program(check(spec))
    x = np.random.default_rng(0).standard_normal((2, 5, 3)).astype(np.float32)
    found = served(model(program.specification.phases.outputs, program.parameters, "back"), {"x": x})
    for name, array in program.predict({"x": x}).items():
        np.testing.assert_allclose(found[name], array, 1e-5, 1e-6)


def test_what_draws_random_numbers_is_refused_with_its_place() -> None:
    spec = check("axonc 1\ninput x: f32[N, 3]\ny = x + random_normal(shape(x))\n")
    with pytest.raises(CompileError) as refusal:
        model(spec.phases.outputs, {}, "noise")
    (diagnostic,) = refusal.value.diagnostics
    assert (diagnostic.code, diagnostic.place.span.line, diagnostic.place.span.text) == (
        "not-in-onnx",
        3,
        "random_normal",
    )


@pytest.mark.parametrize(("layer", "operator"), [("lstm", "LSTM"), ("gru", "Scan"), ("rnn", "Scan")])
@pytest.mark.parametrize("rows", [None, 2])
def test_the_lstm_of_the_library_is_the_operator_of_onnx(layer: str, operator: str, rows: int | None) -> None:
    spec = f"axonc 1\ninput x: f32[N, 5, 3]\nstates, final = x |> {layer}(4, bidirectional = true, state = true)\n"
    program = Program(check(f"{spec}output states\noutput final\n"))
    for array in program.parameters.values():
        array += 0.1 * np.random.default_rng(1).standard_normal(array.shape).astype(np.float32)
    graph = program.specification.phases.outputs
    file = model(bind(graph, {"N": rows}) if rows else graph, program.parameters, layer)
    kinds = [node.op_type for node in onnx.load_from_string(file).graph.node]
    assert kinds.count(operator) == 2
    x = np.random.default_rng(0).standard_normal((2, 5, 3)).astype(np.float32)
    found = served(file, {"x": x})
    for name, array in program.predict({"x": x}).items():
        np.testing.assert_allclose(found[name], array, 1e-5, 1e-6)


def test_an_lstm_with_lengths_is_a_loop() -> None:
    program = Program(check(small("lstm_classifier"), overrides=SMALL["lstm_classifier"]))
    file = model(program.specification.phases.outputs, program.parameters, "lengths")
    assert "Scan" in [node.op_type for node in onnx.load_from_string(file).graph.node]


def test_bf16_keeps_its_type_in_onnx() -> None:
    """ONNX Runtime adds no bf16 on a processor, so ONNX's own evaluator judges."""
    graph = check(BFLOAT).phases.outputs
    file = onnx.load_from_string(model(graph, {}, "one"))
    types = [value.type.tensor_type.elem_type for value in (*file.graph.input, *file.graph.output)]
    assert types == [onnx.TensorProto.BFLOAT16, onnx.TensorProto.BFLOAT16, onnx.TensorProto.FLOAT]
    x = np.random.default_rng(0).normal(size=(3, 4)).astype(ml_dtypes.bfloat16)
    wanted = evaluate(graph, {"x": x.astype(np.float32)})
    for found, name in zip(ReferenceEvaluator(file).run(None, {"x": x}), ("y", "z"), strict=True):
        np.testing.assert_array_equal(found.astype(np.float32), wanted[name])
