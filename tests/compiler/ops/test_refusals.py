"""Operands that do not go together are refused with a code, a place and advice, before anything is computed."""

import pytest
from axonc.compiler.ir import dims
from axonc.compiler.ir.op import Op
from axonc.compiler.ir.types import BOOL, F32, F64, I8, I32, I64, U8, U32, DType, Tensor, Unknown
from axonc.compiler.ops.einsum import einsum
from axonc.compiler.ops.layout import roll, squeeze, stack, tile, unsqueeze

from .graphs import builder, inputs
from .samples import SAMPLES

N, M = dims.name("N"), dims.name("M")
W = Op.words
SHAPE, DTYPE = "shape-mismatch", "type-mismatch"


def t(*shape: dims.Size, dtype: DType = F32) -> Tensor:
    return Tensor(dtype, shape)


CONV = ((1, 1), ((0, 0), (0, 0)), (1, 1), 1)
GROUPED = ((1, 1), ((0, 0), (0, 0)), (1, 1), 2)
POOL = ((2, 2), (2, 2), ((0, 0), (0, 0)))
KEY, STEP = t(2, dtype=U32), t(dtype=I64)

REFUSALS: list[tuple[Op, tuple[Tensor, ...], str]] = [
    (W["exp"](), (t(2, dtype=I32),), DTYPE),
    (W["div"](), (t(2, dtype=I64), t(2, dtype=I64)), DTYPE),
    (W["add"](), (t(2, dtype=BOOL), t(2, dtype=BOOL)), DTYPE),
    (W["add"](), (t(2), t(2, dtype=F64)), DTYPE),
    (W["add"](), (t(2), t(2, dtype=I32)), DTYPE),
    (W["add"](), (t(2, dtype=U32), t(2, dtype=I32)), DTYPE),
    (W["add"](), (t(2, dtype=I8), t(2, dtype=U32)), DTYPE),
    (W["add"](), (t(2, dtype=I8), t(2, dtype=U8)), DTYPE),
    (W["add"](), (t(2, 3), t(2)), SHAPE),
    (W["add"](), (t(N), t(M)), SHAPE),
    (W["and"](), (t(2, dtype=BOOL), t(2)), DTYPE),
    (W["lt"](), (t(2, dtype=BOOL), t(2, dtype=BOOL)), DTYPE),
    (W["where"](), (t(2), t(2), t(2)), DTYPE),
    (W["where"](), (t(2, dtype=BOOL), t(2), t(2, dtype=I32)), DTYPE),
    (W["where"](), (t(3, dtype=BOOL), t(2), t(2)), SHAPE),
    (W["relu"](), (t(2, dtype=I32),), DTYPE),
    (W["sum"]((0,)), (t(2, dtype=BOOL),), DTYPE),
    (W["sum"]((2,)), (t(2, 3),), SHAPE),
    (W["sum"]((0, -2)), (t(2, 3),), SHAPE),
    (W["reduce_max"]((0,)), (t(0, 3),), SHAPE),
    (W["mean"]((0,)), (t(2, dtype=I64),), DTYPE),
    (W["var"]((0,)), (t(2, dtype=I64),), DTYPE),
    (W["logsumexp"]((0,)), (t(2, dtype=I64),), DTYPE),
    (W["any"]((0,)), (t(2),), DTYPE),
    (W["argmax"](1), (t(2),), SHAPE),
    (W["argmax"](0), (t(0),), SHAPE),
    (W["argmin"](0), (t(2, dtype=BOOL),), DTYPE),
    (W["cumsum"](0), (t(2, dtype=BOOL),), DTYPE),
    (W["cumsum"](1), (t(2),), SHAPE),
    (W["reshape"]((5,)), (t(2, 3),), SHAPE),
    (W["transpose"]((0, 0)), (t(2, 3),), SHAPE),
    (W["transpose"]((1, 0)), (t(2, 3, 4),), SHAPE),
    (W["expand"]((3,)), (t(2, 3),), SHAPE),
    (W["expand"]((4, 3)), (t(2, 3),), SHAPE),
    (W["concat"](0), (t(2, 3), t(2, 4)), SHAPE),
    (W["concat"](0), (t(2, 3), t(2)), SHAPE),
    (W["concat"](2), (t(2, 3), t(2, 3)), SHAPE),
    (W["concat"](0), (t(2), t(2, dtype=I32)), DTYPE),
    (W["slice"]((0,), (2,), (1,)), (t(2, 3),), SHAPE),
    (W["slice"]((0,), (4,), (1,)), (t(3),), SHAPE),
    (W["slice"]((-1,), (2,), (1,)), (t(3),), SHAPE),
    (W["slice"]((3,), (-1,), (-1,)), (t(3),), SHAPE),
    (W["slice"]((0,), (3,), (0,)), (t(3),), SHAPE),
    (W["slice"]((0,), (N + 1,), (1,)), (t(N),), SHAPE),
    (W["pad"]((1,), (1,)), (t(2, 3),), SHAPE),
    (W["pad"]((-1,), (1,)), (t(2),), SHAPE),
    (W["flip"]((1,)), (t(2),), SHAPE),
    (W["part"](8, (2, 3)), (t(10),), SHAPE),
    (W["part"](0, (2, 3)), (t(2, 3),), SHAPE),
    (W["matmul"](), (t(2, 3), t(4, 5)), SHAPE),
    (W["matmul"](False, True), (t(2, 3), t(3, 4)), SHAPE),
    (W["matmul"](), (t(2, N), t(M, 5)), SHAPE),
    (W["matmul"](), (t(2, 3, 4), t(3, 4, 5)), SHAPE),
    (W["matmul"](), (t(), t(2, 3)), SHAPE),
    (W["matmul"](True, False), (t(3), t(3, 2)), SHAPE),
    (W["matmul"](), (t(2, 3, dtype=BOOL), t(3, 4, dtype=BOOL)), DTYPE),
    (W["matmul"](), (t(2, 3), t(3, 4, dtype=F64)), DTYPE),
    (W["gather"](), (t(5, 3), t(2)), DTYPE),
    (W["gather"](), (t(), t(2, dtype=I64)), SHAPE),
    (W["scatter_add"](5), (t(2), t(2, 3)), DTYPE),
    (W["scatter_add"](5), (t(2, dtype=I64), t(3, 3)), SHAPE),
    (W["scatter_add"](5), (t(2, 3, dtype=I64), t(2)), SHAPE),
    (W["take"](0), (t(2, 3), t(2)), DTYPE),
    (W["take"](2), (t(2, 3), t(2, dtype=I64)), SHAPE),
    (W["take"](0), (t(2, 3), t(2, 1, dtype=I64)), SHAPE),
    (W["take_along"](0), (t(2, 3), t(2, 3)), DTYPE),
    (W["take_along"](0), (t(2, 3), t(2, 2, dtype=I64)), SHAPE),
    (W["take_along"](0), (t(2, 3), t(2, dtype=I64)), SHAPE),
    (W["take_along"](2), (t(2, 3), t(2, 3, dtype=I64)), SHAPE),
    (W["add_along"](0, 4), (t(2, 3), t(2, 3)), DTYPE),
    (W["add_along"](0, 4), (t(2, 3, dtype=I64), t(2, 2)), SHAPE),
    (W["add_along"](0, 4), (t(2, dtype=I64), t(2, 2)), SHAPE),
    (W["add_along"](2, 4), (t(2, 3, dtype=I64), t(2, 3)), SHAPE),
    (W["argsort"](0), (t(2, dtype=BOOL),), DTYPE),
    (W["argsort"](1), (t(2),), SHAPE),
    (W["pick"](), (t(2, 3), t(2)), DTYPE),
    (W["pick"](), (t(2, 3), t(3, dtype=I64)), SHAPE),
    (W["pick"](), (t(2, 3), t(2, 3, dtype=I64)), SHAPE),
    (W["add_at"](), (t(2, 3), t(2), t(2)), DTYPE),
    (W["add_at"](), (t(2, 3), t(2, dtype=I64), t(3)), SHAPE),
    (W["place"](4), (t(2), t(2)), DTYPE),
    (W["place"](4), (t(2, dtype=I64), t(3)), SHAPE),
    (W["one_hot"](4, F32), (t(2),), DTYPE),
    (W["window"](0, 2), (t(4), t()), DTYPE),
    (W["window"](0, 2), (t(4), t(1, dtype=I64)), SHAPE),
    (W["window"](1, 2), (t(4), t(dtype=I64)), SHAPE),
    (W["window"](0, 5), (t(4), t(dtype=I64)), SHAPE),
    (W["update"](0), (t(4), t(2), t()), DTYPE),
    (W["update"](0), (t(4), t(2, 1), t(dtype=I64)), SHAPE),
    (W["update"](0), (t(4, 3), t(2, 2), t(dtype=I64)), SHAPE),
    (W["update"](0), (t(4), t(5), t(dtype=I64)), SHAPE),
    (W["update"](0), (t(4), t(2, dtype=F64), t(dtype=I64)), DTYPE),
    (W["softmax"](-1), (t(2, dtype=I64),), DTYPE),
    (W["softmax"](1), (t(2),), SHAPE),
    (W["log_softmax"](-1), (t(2, 0),), SHAPE),
    (W["cross_entropy"](), (t(2, 3), t(2)), DTYPE),
    (W["cross_entropy"](), (t(2, 3), t(2, 3, dtype=I64)), SHAPE),
    (W["cross_entropy"](), (t(2, 3), t(4, dtype=I64)), SHAPE),
    (W["cross_entropy"](), (t(2, 3, dtype=I32), t(2, dtype=I64)), DTYPE),
    (W["binary_cross_entropy"](), (t(2), t(2, dtype=I64)), DTYPE),
    (W["binary_cross_entropy"](), (t(2), t(3)), SHAPE),
    (W["conv"](*CONV), (t(2, 5, 3), t(3, 3, 3, 4)), SHAPE),
    (W["conv"](*CONV), (t(2, 5, 5, 3), t(3, 3, 4)), SHAPE),
    (W["conv"](*CONV), (t(2, 5, 5, 3), t(3, 3, 2, 4)), SHAPE),
    (W["conv"](*GROUPED), (t(2, 5, 5, 3), t(3, 3, 1, 4)), SHAPE),
    (W["conv"](*GROUPED), (t(2, 5, 5, 4), t(3, 3, 2, 3)), SHAPE),
    (W["conv"](*CONV), (t(2, 2, 5, 3), t(3, 3, 3, 4)), SHAPE),
    (W["conv"](*CONV), (t(2, 5, 5, 3, dtype=I32), t(3, 3, 3, 4, dtype=I32)), DTYPE),
    (W["conv"](*CONV), (t(2, 5, 5, 3), t(3, 3, 3, 4, dtype=F64)), DTYPE),
    (W["conv_input"](*CONV, (5, 5)), (t(2, 3, 3, 4), t(3, 3, 2, 5)), SHAPE),
    (W["conv_input"](*CONV, (6, 5)), (t(2, 3, 3, 4), t(3, 3, 2, 4)), SHAPE),
    (W["conv_weight"](*CONV, (3, 3)), (t(2, 5, 5, 3), t(2, 3, 4, 4)), SHAPE),
    (W["conv_weight"](*CONV, (3, 3)), (t(2, 5, 5, 3), t(2, 3, 4)), SHAPE),
    (W["conv_weight"](*CONV, (3, 3)), (t(2, 5, 5, 3), t(3, 3, 3, 4)), SHAPE),
    (W["max_pool"](*POOL), (t(2, 4, 3),), SHAPE),
    (W["max_pool"](*POOL), (t(2, 4, 1, 3),), SHAPE),
    (W["max_pool"](*POOL), (t(2, 4, 4, 3, dtype=I32),), DTYPE),
    (W["max_pool"]((2,), (2,), ((2, 0),)), (t(2, 4, 3),), SHAPE),
    (W["average_pool"]((2,), (2,), ((0, 3),), True), (t(2, 4, 3),), SHAPE),
    (W["average_pool_input"](*POOL, True, (5, 4)), (t(2, 3, 2, 3),), SHAPE),
    (W["max_pool_input"](*POOL), (t(2, 4, 4, 3), t(2, 2, 2, 2), t(2, 2, 2, 2)), SHAPE),
    (W["max_pool_input"](*POOL), (t(2, 4, 4, 3), t(2, 2, 2, 3), t(2, 2, 3)), SHAPE),
    (W["max_pool_pick"](*POOL), (t(2, 4, 4, 3), t(2, 2, 2, 3), t(2, 4, 4, 2)), SHAPE),
    (W["random_bits"]("s", (2,)), (t(3, dtype=U32), STEP), SHAPE),
    (W["random_bits"]("s", (2,)), (t(2, dtype=I64), STEP), DTYPE),
    (W["uniform"]("s", (2,), F32), (KEY, t()), DTYPE),
    (W["normal"]("s", (2,), F32), (KEY, t(1, dtype=I64)), DTYPE),
    (W["bernoulli"]("s", (2,), 1.5), (KEY, STEP), SHAPE),
]


@pytest.mark.parametrize(("op", "types", "code"), REFUSALS, ids=[f"{op} {types}" for op, types, _ in REFUSALS])
def test_refusal_has_its_code_and_leaves_an_unknown_value(op: Op, types: tuple[Tensor, ...], code: str) -> None:
    b = builder()
    node = b.add(op, *inputs(b, types))
    assert isinstance(node.type, Unknown)
    (report,) = b.reports
    assert report.code == code
    assert report.place is b.place
    assert op.word in report.render_title() or code == DTYPE
    for text in (report.render_title(), report.render_label(), *report.render_notes(), report.render_help()):
        assert "{" not in text


def test_every_operation_that_can_be_given_wrong_operands_refuses_some() -> None:
    total = {"cast", "stop_gradient", "barrier", "size", "iota"}
    scalar = {word for word in SAMPLES if W[word].rule() == "scalar"}
    assert set(SAMPLES) - total - scalar <= {op.word for op, _, _ in REFUSALS} | {"reduce_min", "prod", "all"}


def test_functions_that_build_values_refuse_as_operations_do() -> None:
    b = builder()
    x, y = inputs(b, (t(2, 3), t(2, 4)))
    wrong = [
        squeeze(b, x, 0),
        squeeze(b, x, 5),
        unsqueeze(b, x, 4),
        stack(b, [x, y], 0),
        stack(b, [x, x], 5),
        tile(b, x, (2,)),
        roll(b, x, 1, 2),
        einsum(b, "ij,jk", x, y),
        einsum(b, "ij,jk->ik", x, y),
        einsum(b, "ii,jk->ik", x, y),
        einsum(b, "ijk,jl->ik", x, y),
        einsum(b, "ij,jk->il", x, y),
    ]
    assert all(isinstance(n.type, Unknown) for n in wrong)
    assert len(b.reports) == len(wrong)
    assert {r.code for r in b.reports} == {SHAPE}
    assert isinstance(squeeze(b, wrong[0], 0).type, Unknown)
    assert len(b.reports) == len(wrong)


def test_sizes_that_only_numbers_decide_become_guards() -> None:
    b = builder()
    x, y = inputs(b, (t(N // 2, 3), t(M, 3)))
    b.add(W["add"](), x, y)
    assert not b.reports
    assert [(g.left, g.right) for g in b.guards.values()] == [(N // 2, M)]
