"""What holds for every operation, generated from its class and its samples."""

import numpy as np
import pytest
from axonc.compiler.differentiate import gradient_graph
from axonc.compiler.ir import dims
from axonc.compiler.ir.check import Check
from axonc.compiler.ir.dims import Size
from axonc.compiler.ir.evaluate import evaluate
from axonc.compiler.ir.op import Elementwise, Op
from axonc.compiler.ir.scalar import ARITY, Expr, Expressions
from axonc.compiler.ir.types import F64, Tensor
from axonc.compiler.ops.layout import Expand, Reshape, Slice

from .graphs import assert_gradient, builder, define, graph_of, inputs, named, symbolic, type_of, weighted
from .samples import SAMPLES, WORDS, Sample


def of_rule(rule: str) -> list[str]:
    return [word for word in WORDS if Op.words[word].rule() == rule]


def floats(sample: Sample) -> list[int]:
    return [i for i, a in enumerate(sample.arrays) if a.dtype.kind == "f"]


def differentiable(sample: Sample) -> bool:
    return bool(floats(sample)) and type_of(define(*sample[:1], *sample.arrays)).dtype.is_float


def in_f64(sample: Sample) -> tuple[np.ndarray, ...]:
    return tuple(a.astype(np.float64) if a.dtype.kind == "f" else a for a in sample.arrays)


def test_every_operation_has_samples_of_itself() -> None:
    assert sorted(SAMPLES) == WORDS
    for word, samples in SAMPLES.items():
        assert samples
        assert all(s.op.word == word for s in samples)


def test_every_scalar_word_is_an_elementwise_operation_without_attributes() -> None:
    for word in ARITY:
        assert issubclass(Op.words[word], Elementwise)
        assert Op.words[word].fields == ()


def test_every_operation_says_what_it_is() -> None:
    for word in WORDS:
        assert (Op.words[word].__doc__ or "").strip(), word
        for sample in SAMPLES[word]:
            assert sample.op.formula(*named(sample.arrays)), sample


@pytest.mark.parametrize("word", WORDS)
def test_inferred_type_is_the_type_of_the_definitions_result(word: str) -> None:
    for sample in SAMPLES[word]:
        result = define(sample.op, *sample.arrays)
        assert sample.op.infer(Check(), *map(type_of, sample.arrays)) == type_of(result), sample


@pytest.mark.parametrize("word", WORDS)
def test_type_inferred_from_names_of_sizes_is_the_type_of_the_result_once_they_are_bound(word: str) -> None:
    for sample in SAMPLES[word]:
        result = sample.op.infer(Check(), *map(symbolic, sample.arrays))
        assert isinstance(result, Tensor)
        sizes = {f"D{n}": n for a in sample.arrays for n in a.shape}
        assert result.substitute(sizes) == type_of(define(sample.op, *sample.arrays)), sample


@pytest.mark.parametrize("word", WORDS)
def test_definition_leaves_its_operands_alone(word: str) -> None:
    for sample in SAMPLES[word]:
        before = [a.copy() for a in sample.arrays]
        define(sample.op, *sample.arrays)
        for a, z in zip(before, sample.arrays, strict=True):
            np.testing.assert_array_equal(a, z, str(sample))


@pytest.mark.parametrize("word", WORDS)
def test_gradient_has_the_type_of_its_input_in_its_dtype_and_with_names_of_sizes(word: str) -> None:
    for sample in filter(differentiable, SAMPLES[word]):
        for types in ([type_of(a) for a in sample.arrays], [symbolic(a) for a in sample.arrays]):
            graph = weighted(graph_of(sample.op, types), ["y"], "r")
            wrt = [f"x{i}" for i in floats(sample)]
            gradients = gradient_graph(graph, "loss", wrt)
            for name in wrt:
                assert gradients.result(f"gradient.{name}").type == graph.input(name).type, sample


@pytest.mark.parametrize("word", WORDS)
def test_gradient_and_its_gradient_agree_with_finite_differences(word: str) -> None:
    rng = np.random.default_rng(4)
    for sample in SAMPLES[word]:
        if not sample.smooth or not differentiable(sample):
            continue
        values, wrt = named(in_f64(sample)), [f"x{i}" for i in floats(sample)]
        graph = weighted(graph_of(sample.op, [type_of(a) for a in values.values()]), ["y"], "r")
        values["r0"] = rng.standard_normal(graph.input("r0").shape)
        gradients = assert_gradient(graph, values, wrt, sample)
        twice = weighted(gradients, [f"gradient.{name}" for name in wrt], "s")
        values |= {f"s{i}": rng.standard_normal(values[name].shape) for i, name in enumerate(wrt)}
        assert_gradient(twice, values, [*wrt, "r0"], f"second of {sample}")


@pytest.mark.parametrize("word", of_rule("scalar"))
def test_scalar_expression_is_the_definition(word: str) -> None:
    def value(x: Expr, arrays: tuple[np.ndarray, ...]) -> np.ndarray:
        match x.word:
            case "load":
                return arrays[int(x.value)]
            case "const":
                return define(Op.words["literal"](x.value, x.dtype))
            case "cast":
                return define(Op.words["cast"](x.dtype), *(value(o, arrays) for o in x.operands))
        return define(Op.words[x.word](), *(value(o, arrays) for o in x.operands))

    for sample in SAMPLES[word]:
        assert isinstance(sample.op, Elementwise)
        e = Expressions()
        loads = [e.load(i, type_of(a).dtype) for i, a in enumerate(sample.arrays)]
        expression = sample.op.scalar(e, *loads)
        assert isinstance(expression, Expr)
        expected = define(sample.op, *sample.arrays)
        assert_close(value(expression, sample.arrays), expected, sample)


@pytest.mark.parametrize("word", of_rule("expand"))
def test_expansion_is_the_definition(word: str) -> None:
    for sample in SAMPLES[word]:
        b = builder()
        nodes = inputs(b, [type_of(a) for a in sample.arrays])
        expansion = sample.op.expand(b, *nodes)
        assert expansion is not None
        assert expansion.type == sample.op.infer(Check(), *(n.tensor for n in nodes)), sample
        found = evaluate(b.graph({"y": expansion}), named(sample.arrays))["y"]
        assert_close(found, define(sample.op, *sample.arrays), sample)


def assert_close(found: np.ndarray, expected: np.ndarray, note: object) -> None:
    if expected.dtype.kind == "f":
        tolerance = {2: 2e-3, 4: 1e-6, 8: 1e-13}[expected.dtype.itemsize]
        np.testing.assert_allclose(found, expected, tolerance, tolerance, err_msg=str(note))
    else:
        np.testing.assert_array_equal(found, expected, str(note))


def cut(sample: Sample, name: str, where: slice) -> list[np.ndarray]:
    """The operands of a sample, cut along every axis of that name."""
    axes = sample.op.axes(*map(type_of, sample.arrays)).inputs
    return [
        a[tuple(where if axis.name == name else slice(None) for axis in names)]
        for a, names in zip(sample.arrays, axes, strict=True)
    ]


@pytest.mark.parametrize("word", WORDS)
def test_axes_fit_the_operands_and_results(word: str) -> None:
    for sample in SAMPLES[word]:
        types = [type_of(a) for a in sample.arrays]
        axes = sample.op.axes(*types)
        assert [len(names) for names in axes.inputs] == [t.rank for t in types], sample
        results = sample.op.result_types(*types)
        assert [len(names) for names in axes.outputs] == [t.rank for t in results], sample
        extents: dict[str, set[object]] = {}
        for t, names in zip(types, axes.inputs, strict=True):
            for size, axis in zip(t.shape, names, strict=True):
                if axis.need == "point":
                    extents.setdefault(axis.name, set()).add(size)
        for t, outs in zip(results, axes.outputs, strict=True):
            assert not axes.added & set(outs), sample
            for size, name in zip(t.shape, outs, strict=True):
                if name in extents:
                    extents[name].add(size)
        assert all(len(sizes) == 1 for name, sizes in extents.items() if name), (sample, extents)


@pytest.mark.parametrize("word", WORDS)
def test_result_of_a_slice_along_a_point_axis_is_the_slice_of_the_result(word: str) -> None:
    for sample in SAMPLES[word]:
        if rigid(sample):
            continue
        axes = sample.op.axes(*map(type_of, sample.arrays))
        result = define(sample.op, *sample.arrays)
        for axis, name in enumerate(axes.outputs[0]):
            needs = {a.need for names in axes.inputs for a in names if a.name == name}
            if not name or needs != {"point"}:
                continue
            size = result.shape[axis]
            for where in (slice(0, size // 2), slice(size // 2, size)):
                found = define(sample.op, *cut(sample, name, where))
                expected = result[(slice(None),) * axis + (where,)]
                assert_close(found, expected, (sample, name))


def rigid(sample: Sample) -> bool:
    """Whether the attributes are sizes of the operands, so that a slice of those needs another operation."""
    return sample.op.word in ("reshape", "expand", "slice")


N = dims.name("N")


@pytest.mark.parametrize(
    ("op", "shape"),
    [
        (Reshape((N, 12)), (N, 3, 4)),
        (Reshape((2, 3, N)), (6, N)),
        (Reshape((N, 3, 1, 4)), (N, 3, 4)),
        (Expand((N, 3, 4)), (N, 1, 4)),
        (Expand((2, N)), (N,)),
        (Slice((0, 1), (N, 3), (1, 2)), (N, 4)),
        (Slice((3, 0), (-1, N), (-1, 1)), (4, N)),
    ],
    ids=str,
)
def test_operation_with_sizes_as_attributes_keeps_slices_along_point_axes(op: Op, shape: tuple[Size, ...]) -> None:
    def bound(size: int) -> tuple[Op, tuple[Size, ...]]:
        values: dict[str, Size] = {"N": size}
        return op.map(sizes=lambda s: dims.substitute(s, values)), tuple(dims.substitute(s, values) for s in shape)

    axis = shape.index(N)
    axes = op.axes(Tensor(F64, shape))
    name = axes.inputs[0][axis].name
    assert axes.inputs[0][axis].need == "point"
    out = axes.outputs[0].index(name)
    whole, part = bound(5), bound(2)
    x = np.random.default_rng(0).standard_normal(whole[1])
    found = define(part[0], x[(slice(None),) * axis + (slice(1, 3),)])
    assert_close(found, define(whole[0], x)[(slice(None),) * out + (slice(1, 3),)], op)


@pytest.mark.parametrize("word", WORDS)
def test_partial_results_along_an_added_axis_sum_to_the_whole(word: str) -> None:
    for sample in SAMPLES[word]:
        axes = sample.op.axes(*map(type_of, sample.arrays))
        for name in axes.added:
            sizes = [
                a.shape[i]
                for a, names in zip(sample.arrays, axes.inputs, strict=True)
                for i, axis in enumerate(names)
                if axis.name == name
            ]
            middle = sizes[0] // 2
            if middle == 0 or sample.arrays[0].dtype == np.float16:
                continue
            first = define(sample.op, *cut(sample, name, slice(0, middle)))
            second = define(sample.op, *cut(sample, name, slice(middle, None)))
            assert_close(first + second, define(sample.op, *sample.arrays), (sample, name))
