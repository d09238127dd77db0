"""Operands by type of operation: what every generated test of an operation runs on."""

from importlib import import_module
from pkgutil import iter_modules
from typing import NamedTuple

import numpy as np
from axonc.compiler import ops
from axonc.compiler.ir.graph import Input, Item, Literal
from axonc.compiler.ir.op import Op
from axonc.compiler.ir.types import BOOL, F16, F32, F64, I32, I64, U8, U32

from .operands import half, real, single, truths, turned, whole

LOOPS = ("scan", "rows")  # operations on whole graphs have tests of their own
for family in iter_modules(ops.__path__):
    if not family.name.startswith(LOOPS):
        import_module(f"{ops.__name__}.{family.name}")

W = Op.words
STRUCTURAL = {Input, Literal, Item}  # made by the Builder itself, and in every graph of every test
WORDS = sorted(word for word, kind in W.items() if kind not in STRUCTURAL and "body" not in kind.fields)


class Sample(NamedTuple):
    """An operation and its operands. `smooth`: finite differences say what the gradient is."""

    op: Op
    arrays: tuple[np.ndarray, ...]
    smooth: bool = True

    def __str__(self) -> str:
        return f"{self.op} of {', '.join(f'{a.dtype}{list(a.shape)}' for a in self.arrays)}"


def unary(word: str, low: float = -2.0, high: float = 2.0, more: tuple[Sample, ...] = ()) -> tuple[Sample, ...]:
    op = W[word]()
    arrays = (real(3, 4, low=low, high=high), real(low=low, high=high), real(0, 3), real(1, low=low, high=high))
    single_ = single(2, 3, low=low, high=high)
    return (*(Sample(op, (a,)) for a in (*arrays, single_, single_[:, ::2].T)), *more)


PAIRS = [((3, 4), (3, 4)), ((3, 4), (4,)), ((2, 1, 3), (4, 1)), ((), (2, 3)), ((0, 3), (3,)), ((1,), (1,))]


def binary(word: str, low: float = -2.0, high: float = 2.0, integers: bool = True) -> tuple[Sample, ...]:
    op = W[word]()
    floats = [Sample(op, (real(*a, low=low, high=high), real(*b, low=low, high=high))) for a, b in PAIRS]
    floats.append(Sample(op, (single(2, 3, low=low, high=high), single(3, low=low, high=high))))
    divisors = whole(3, 4, low=1)
    wide = [
        Sample(op, (whole(3, 4), divisors)),
        Sample(op, (whole(3, 4, dtype=np.int32), divisors)),
        Sample(op, (whole(3, low=0, dtype=np.uint8), divisors[:, :3].astype(np.uint8))),
        Sample(op, (whole(3, 4), -divisors)),
    ]
    return (*floats, *(wide if integers else ()))


def logic(word: str) -> tuple[Sample, ...]:
    return tuple(Sample(W[word](), (truths(*a), truths(*b))) for a, b in PAIRS)


def comparison(word: str) -> tuple[Sample, ...]:
    ties = whole(3, 4, low=0, high=2)
    return (*binary(word), Sample(W[word](), (ties.astype(float), ties[::-1].astype(float))))


def reduction(word: str, *arrays: np.ndarray) -> tuple[Sample, ...]:
    op = W[word]
    x = real(2, 3, 4)
    found = [Sample(op(over, keep), (x,)) for over in ((0,), (1, 2), (-1,), (0, 1, 2), ()) for keep in (False, True)]
    return (
        *found,
        Sample(op((1,)), (single(3, 4),)),
        Sample(op((0,)), (turned(3, 2),)),
        *(Sample(op((0,), True), (a,)) for a in arrays),
    )


def position(word: str) -> tuple[Sample, ...]:
    ties = whole(4, 6, low=0, high=3)
    arrays = (real(2, 3, 4), single(2, 3), ties, ties.astype(np.float64), real(1, 1))
    return tuple(Sample(W[word](axis, keep), (a,)) for a in arrays for axis in (0, -1) for keep in (False, True))


def shares(word: str) -> tuple[Sample, ...]:
    op = W[word]
    far = np.array([[1e4, -1e4, 0.0], [-1e4, -1e4, 1e4]])
    return (
        *(Sample(op(axis), (real(2, 3, 4),)) for axis in (0, 1, -1)),
        *(Sample(op(-1), (a,)) for a in (real(5), single(2, 3), real(0, 3), real(2, 1), turned(3, 4), far)),
    )


def conv_settings(rank: int) -> list[tuple]:
    """Stride, padding, dilation and groups; data sizes; kernel sizes; channels in and out."""
    return {
        1: [
            (((1,), ((0, 0),), (1,), 1), (5,), (3,), 2, 3),
            (((2,), ((2, 1),), (2,), 2), (6,), (2,), 4, 2),
        ],
        2: [
            (((1, 1), ((1, 1), (1, 1)), (1, 1), 1), (4, 3), (3, 3), 2, 3),
            (((2, 1), ((0, 1), (2, 0)), (1, 2), 1), (5, 4), (2, 3), 3, 2),
            (((1, 2), ((1, 1), (0, 0)), (1, 1), 3), (3, 5), (3, 1), 3, 6),
            (((1, 1), ((0, 0), (0, 0)), (1, 1), 1), (2, 2), (1, 1), 1, 1),
        ],
        3: [(((1, 2, 1), ((0, 0), (1, 0), (1, 1)), (1, 1, 2), 1), (2, 3, 4), (2, 2, 2), 2, 2)],
    }[rank]


def convolutions(word: str) -> tuple[Sample, ...]:
    found = []
    for rank in (1, 2, 3):
        for settings, sizes, kernel, c, k in conv_settings(rank):
            x, w = real(2, *sizes, c), real(*kernel, c // settings[3], k)
            y = real(*W["conv"](*settings).eval(np, x, w).shape)
            match word:
                case "conv":
                    found += [
                        Sample(W[word](*settings), (x, w)),
                        Sample(W[word](*settings), (x.astype("f"), w.astype("f"))),
                    ]
                case "conv_input":
                    found.append(Sample(W[word](*settings, sizes), (y, w)))
                case "conv_weight":
                    found.append(Sample(W[word](*settings, kernel), (x, y)))
    return tuple(found)


POOLS = [
    ((2,), (2,), ((0, 0),), (6,)),
    ((3,), (1,), ((1, 1),), (4,)),
    ((2, 2), (2, 2), ((0, 0), (0, 0)), (4, 4)),
    ((3, 2), (2, 1), ((1, 0), (0, 1)), (4, 3)),
    ((3, 3), (2, 2), ((0, 0), (0, 0)), (7, 5)),
    ((2, 1, 2), (1, 1, 2), ((0, 0), (0, 0), (1, 1)), (3, 2, 3)),
]


def pools(word: str, *more: object) -> tuple[Sample, ...]:
    return tuple(Sample(W[word](*settings, *more), (real(2, *sizes, 3),)) for *settings, sizes in POOLS)


def winners(word: str) -> tuple[Sample, ...]:
    found = []
    for *settings, sizes in POOLS:
        for x in (real(2, *sizes, 2), whole(1, *sizes, 2, low=0, high=2).astype(np.float64)):
            y = W["max_pool"](*settings).eval(np, x)
            third = real(*(y if word == "max_pool_input" else x).shape)
            found.append(Sample(W[word](*settings), (x, y, third), smooth=False))
    return tuple(found)


KEY, STEP = np.array([0x12345678, 0x9ABCDEF0], np.uint32), np.asarray(5, np.int64)


def draws(word: str, *more: object) -> tuple[Sample, ...]:
    shapes = ((3, 4), (), (0, 2), (7,))
    return tuple(Sample(W[word]("net.dropout", s, *more), (KEY, STEP)) for s in shapes)


EXPONENTS = [np.asarray(n) for n in (2.0, 0.5, -1.0, 1.0, 0.0, 3.0, -2.5)]
ROWS = whole(2, 3, low=0, high=5)
CLASSES = whole(2, 3, low=0, high=4)

SAMPLES: dict[str, tuple[Sample, ...]] = {
    **{word: unary(word) for word in "exp expm1 sin cos sinh cosh tanh sigmoid erf atan tan".split()},
    **{word: unary(word, 0.2, 3.0) for word in "log sqrt reciprocal".split()},
    **{word: unary(word, -0.9, 0.9) for word in "asin acos log1p".split()},
    **{
        word: unary(word, more=(Sample(W[word](), (whole(3, 4),)), Sample(W[word](), (whole(2, dtype=np.int32),))))
        for word in "neg abs sign square".split()
    },
    **{
        word: unary(word, more=(Sample(W[word](), (np.array([-2.5, -1.5, -0.5, 0.5, 1.5, 2.0]),), smooth=False),))
        for word in "floor ceil round".split()
    },
    "logical_not": tuple(Sample(W["logical_not"](), (truths(*s),)) for s in ((3, 4), (), (0,))),
    **{
        word: (*unary(word), Sample(W[word](), (np.array([1.0, np.inf, -np.inf, np.nan]),)))
        for word in ("is_finite", "is_nan")
    },
    **{word: binary(word) for word in "add sub mul max min".split()},
    **{word: binary(word, 0.2, 3.0) for word in ("floor_div", "mod")},
    "div": binary("div", 0.2, 3.0, integers=False),
    "pow": (
        *binary("pow", 0.2, 3.0, integers=False),
        *(Sample(W["pow"](), (real(3, 4, low=0.2), n)) for n in EXPONENTS),
        Sample(W["pow"](), (whole(3), np.asarray(2))),
        Sample(W["pow"](), (np.asarray([-2, -1, 1, 2])[:, None], np.asarray([-3, -2, -1, 0, 1, 3]))),
    ),
    "atan2": binary("atan2", integers=False),
    **{word: logic(word) for word in ("and", "or", "xor")},
    **{word: comparison(word) for word in "eq ne lt le gt ge".split()},
    "where": (
        Sample(W["where"](), (truths(3, 4), real(3, 4), real(3, 4))),
        Sample(W["where"](), (truths(3, 1), real(4), real())),
        Sample(W["where"](), (truths(), real(2, 3), real(2, 3))),
        Sample(W["where"](), (truths(4), whole(4), whole(4))),
        Sample(W["where"](), (truths(4), truths(4), truths(4))),
        Sample(W["where"](), (truths(0), single(0), single(0))),
    ),
    "relu": unary("relu"),
    "cast": (
        Sample(W["cast"](F64), (real(3, 4),)),
        Sample(W["cast"](F32), (real(3, 4),), smooth=False),
        Sample(W["cast"](F64), (single(3),), smooth=False),
        Sample(W["cast"](F16), (single(),), smooth=False),
        Sample(W["cast"](I64), (real(3, 4),)),
        Sample(W["cast"](I32), (truths(3),)),
        Sample(W["cast"](F32), (whole(3),)),
        Sample(W["cast"](BOOL), (whole(5),)),
        Sample(W["cast"](U8), (whole(3, low=0),)),
    ),
    "stop_gradient": (Sample(W["stop_gradient"](), (real(3, 4),), smooth=False),),
    **{word: reduction(word, whole(3, 2)) for word in ("sum",)},
    "prod": reduction("prod", whole(3, 2)),
    "reduce_max": reduction("reduce_max", whole(3, 2)),
    "reduce_min": reduction("reduce_min", whole(3, 2)),
    "mean": (*reduction("mean"), Sample(W["mean"]((0,)), (half(70_000) + np.float16(9),), smooth=False)),
    "var": (
        *reduction("var"),
        Sample(W["var"]((0, 1), True, 1), (real(3, 4),)),
        Sample(W["var"]((0,)), (half(70_000),)),
    ),
    "logsumexp": (*reduction("logsumexp"), Sample(W["logsumexp"]((0,)), (np.array([1e4, -1e4, 9999.0]),))),
    **{
        word: tuple(
            Sample(W[word](over, keep), (truths(3, 4),)) for over in ((0,), (-1,), (0, 1), ()) for keep in (False, True)
        )
        for word in ("any", "all")
    },
    **{word: position(word) for word in ("argmax", "argmin")},
    "cumsum": tuple(
        Sample(W["cumsum"](axis, reverse), (x,))
        for x in (real(2, 3, 4), whole(3, 2, dtype=np.int32))
        for axis in (0, -1)
        for reverse in (False, True)
    ),
    "reshape": (
        Sample(W["reshape"]((4, 6)), (real(2, 3, 4),)),
        Sample(W["reshape"]((2, 12)), (real(2, 3, 4),)),
        Sample(W["reshape"]((2, 1, 3, 1)), (turned(2, 3),)),
        Sample(W["reshape"](()), (real(1, 1),)),
        Sample(W["reshape"]((0, 7)), (real(3, 0),)),
        Sample(W["reshape"]((3,)), (truths(3, 1),)),
    ),
    "transpose": (
        Sample(W["transpose"]((1, 0)), (real(2, 3),)),
        Sample(W["transpose"]((2, 0, 1)), (real(2, 3, 4),)),
        Sample(W["transpose"]((0, 1)), (whole(2, 3),)),
        Sample(W["transpose"](()), (real(),)),
        Sample(W["transpose"]((1, 0)), (turned(0, 3),)),
    ),
    "expand": (
        Sample(W["expand"]((2, 3)), (real(3),)),
        Sample(W["expand"]((4, 2, 3)), (real(2, 1),)),
        Sample(W["expand"]((2, 3)), (real(),)),
        Sample(W["expand"]((0, 3)), (real(1, 3),)),
        Sample(W["expand"]((2, 2)), (truths(2, 1),)),
    ),
    "concat": (
        Sample(W["concat"](0), (real(2, 3), real(1, 3))),
        Sample(W["concat"](-1), (real(2, 3), real(2, 1), real(2, 2))),
        Sample(W["concat"](1), (turned(2, 3), real(2, 0))),
        Sample(W["concat"](0), (whole(2), whole(3))),
        Sample(W["concat"](0), (truths(2),)),
    ),
    "slice": (
        Sample(W["slice"]((1, 0), (3, 4), (1, 1)), (real(4, 4),)),
        Sample(W["slice"]((0, 1), (4, 6), (2, 3)), (real(4, 6),)),
        Sample(W["slice"]((4,), (-1,), (-1,)), (real(5),)),
        Sample(W["slice"]((4, 0), (0, 2), (-2, 1)), (real(5, 3),)),
        Sample(W["slice"]((2,), (2,), (1,)), (real(5),)),
        Sample(W["slice"]((), (), ()), (real(),)),
        Sample(W["slice"]((0, 1), (2, 3), (1, 1)), (turned(2, 4),)),
        Sample(W["slice"]((1,), (6,), (3,)), (whole(7),)),
    ),
    "pad": (
        Sample(W["pad"]((1, 0), (0, 2)), (real(2, 3),)),
        Sample(W["pad"]((0,), (0,), 1.5), (real(3),)),
        Sample(W["pad"]((1, 2), (1, 0), 0, (1, 2)), (real(3, 2),)),
        Sample(W["pad"]((2,), (1,), 7), (whole(0),)),
        Sample(W["pad"]((1,), (1,), True), (truths(2),)),
        Sample(W["pad"]((0,), (3,), -1.0), (turned(2),)),
    ),
    "flip": (
        *(Sample(W["flip"](over), (real(2, 3, 4),)) for over in ((0,), (-1,), (0, 2), ())),
        Sample(W["flip"]((0,)), (whole(3),)),
    ),
    "size": (Sample(W["size"](7, F32), ()), Sample(W["size"](0, I64), ())),
    "part": (
        Sample(W["part"](2, (2, 3)), (real(10),)),
        Sample(W["part"](0, (4,)), (real(4),)),
        Sample(W["part"](3, ()), (single(4),)),
    ),
    "barrier": (Sample(W["barrier"](), (real(2, 3),)), Sample(W["barrier"](), (real(2), whole(3)))),
    "matmul": (
        Sample(W["matmul"](), (real(2, 3), real(3, 4))),
        Sample(W["matmul"](True, False), (real(3, 2), real(3, 4))),
        Sample(W["matmul"](False, True), (real(2, 3), real(4, 3))),
        Sample(W["matmul"](True, True), (real(3, 2), real(4, 3))),
        *(Sample(W["matmul"](ta, tb), (real(2, 3, 3), real(3, 3))) for ta in (False, True) for tb in (False, True)),
        *(Sample(W["matmul"](ta, tb), (real(3, 3), real(2, 3, 3))) for ta in (False, True) for tb in (False, True)),
        Sample(W["matmul"](), (real(2, 1, 3, 4), real(5, 4, 2))),
        Sample(W["matmul"](), (real(1, 3, 4), real(2, 4, 2))),
        Sample(W["matmul"](False, True), (real(2, 3, 4), real(2, 5, 4))),
        Sample(W["matmul"](), (real(3), real(3))),
        Sample(W["matmul"](), (real(3), real(3, 2))),
        Sample(W["matmul"](), (real(2, 3), real(3))),
        Sample(W["matmul"](), (real(3), real(2, 3, 4))),
        Sample(W["matmul"](), (real(2, 4, 3), real(3))),
        Sample(W["matmul"](False, True), (real(3), real(4, 3))),
        Sample(W["matmul"](True, False), (real(3, 4), real(3))),
        Sample(W["matmul"](), (real(0, 3), real(3, 2))),
        Sample(W["matmul"](), (real(2, 0), real(0, 3))),
        Sample(W["matmul"](), (turned(2, 3), turned(3, 4))),
        Sample(W["matmul"](), (real(4, 6)[::2, ::2], real(6, 4)[::2])),
        Sample(W["matmul"](), (single(2, 3), single(3, 4))),
        Sample(W["matmul"](), (half(2, 3), half(3, 4)), smooth=False),
        Sample(W["matmul"](), (whole(2, 3), whole(3, 4, dtype=np.int32))),
        Sample(W["matmul"](), (real(1, 1), real(1, 1))),
    ),
    "gather": (
        Sample(W["gather"](), (real(5, 3), ROWS)),
        Sample(W["gather"](), (real(5), ROWS.astype(np.int32))),
        Sample(W["gather"](), (real(4, 2, 3), np.asarray(2))),
        Sample(W["gather"](), (whole(5), ROWS)),
        Sample(W["gather"](), (real(5, 3), whole(0))),
    ),
    "scatter_add": (
        Sample(W["scatter_add"](5), (ROWS, real(2, 3, 4))),
        Sample(W["scatter_add"](5), (ROWS.astype(np.int32), real(2, 3))),
        Sample(W["scatter_add"](3), (np.asarray(1), single(2))),
        Sample(W["scatter_add"](3), (whole(0), real(0, 2))),
    ),
    "take": (
        *(Sample(W["take"](axis), (real(2, 4, 3), np.array([2, 0, 1, 0]))) for axis in (1, -1)),
        Sample(W["take"](0), (real(5), whole(0))),
        Sample(W["take"](0), (whole(5, 2), whole(3, low=0, high=5, dtype=np.int32))),
        Sample(W["take"](1), (single(2, 6)[:, ::2], np.array([1, 1, 2]))),
        Sample(W["take"](1), (real(0, 3), np.array([2]))),
    ),
    "take_along": (
        *(Sample(W["take_along"](axis), (real(3, 4), whole(3, 4, low=0, high=3))) for axis in (0, 1)),
        Sample(W["take_along"](1), (real(2, 3, 4), whole(2, 5, 4, low=0, high=3))),
        Sample(W["take_along"](-1), (single(2, 3), whole(2, 1, low=0, high=3, dtype=np.int32))),
        Sample(W["take_along"](0), (real(5), whole(0))),
        Sample(W["take_along"](1), (turned(4, 3), whole(4, 2, low=0, high=3))),
        Sample(W["take_along"](0), (whole(3, 2), whole(1, 2, low=0, high=3))),
    ),
    "add_along": (
        *(Sample(W["add_along"](axis, 4), (whole(3, 4, low=0, high=4), real(3, 4))) for axis in (0, -1)),
        Sample(W["add_along"](1, 2), (whole(2, 5, 4, low=0, high=2), real(2, 5, 4))),
        Sample(W["add_along"](0, 3), (whole(0), real(0))),
        Sample(W["add_along"](1, 3), (whole(2, 1, low=0, high=3, dtype=np.int32), single(2, 1))),
    ),
    "argsort": tuple(
        Sample(W["argsort"](axis, descending), (x,))
        for x in (
            real(2, 3, 4),
            single(5),
            turned(3, 4),
            real(0, 3),
            real(1, 1),
            whole(4, 6, low=0, high=3),
            whole(4, 6, low=0, high=3).astype(np.float64),
            whole(3, low=0, high=250, dtype=np.uint8),
            np.array([np.iinfo(np.int64).min, 0, np.iinfo(np.int64).max]),
            np.array([0.0, np.inf, -np.inf, -0.0]),
        )
        for axis in (0, -1)
        for descending in (False, True)
    ),
    "pick": (
        Sample(W["pick"](), (real(2, 3, 4), CLASSES)),
        Sample(W["pick"](), (real(4), np.asarray(3))),
        Sample(W["pick"](), (whole(3, 4), whole(3, low=0, high=4, dtype=np.int32))),
    ),
    "add_at": (
        Sample(W["add_at"](), (real(2, 3, 4), CLASSES, real(2, 3))),
        Sample(W["add_at"](), (real(4), np.asarray(3), real())),
        Sample(W["add_at"](), (single(3, 4), whole(3, low=0, high=4, dtype=np.int32), single(3))),
    ),
    "place": (
        Sample(W["place"](4), (CLASSES, real(2, 3))),
        Sample(W["place"](4), (np.asarray(1), real())),
        Sample(W["place"](2), (whole(3, low=0, high=2, dtype=np.int32), whole(3))),
    ),
    "one_hot": (
        Sample(W["one_hot"](4, F32), (CLASSES,)),
        Sample(W["one_hot"](4, I64), (np.asarray(1),)),
        Sample(W["one_hot"](3, BOOL), (whole(0),)),
    ),
    "iota": (Sample(W["iota"](5, I64), ()), Sample(W["iota"](0, F32), ()), Sample(W["iota"](3, U32), ())),
    "window": (
        Sample(W["window"](0, 2), (real(4, 3), np.asarray(1))),
        Sample(W["window"](-1, 3), (real(2, 3), np.asarray(0, np.int32))),
        Sample(W["window"](1, 1), (whole(2, 5), np.asarray(4))),
    ),
    "update": (
        Sample(W["update"](0), (real(4, 3), real(2, 3), np.asarray(1))),
        Sample(W["update"](-1), (real(2, 3), real(2, 3), np.asarray(0, np.int32))),
        Sample(W["update"](1), (whole(2, 5), whole(2, 1), np.asarray(4))),
    ),
    "softmax": shares("softmax"),
    "log_softmax": shares("log_softmax"),
    "cross_entropy": (
        Sample(W["cross_entropy"](), (real(2, 3, 4), CLASSES)),
        Sample(W["cross_entropy"](), (single(3, 4), whole(3, low=0, high=4, dtype=np.int32))),
        Sample(W["cross_entropy"](), (real(4), np.asarray(2))),
        Sample(W["cross_entropy"](), (np.array([[1e4, -1e4], [1e4, -1e4]]), np.array([0, 1]))),
    ),
    "binary_cross_entropy": (
        Sample(W["binary_cross_entropy"](), (real(3, 4), real(3, 4, low=0, high=1))),
        Sample(W["binary_cross_entropy"](), (single(3, 4), single(3, 1, low=0, high=1))),
        Sample(W["binary_cross_entropy"](), (np.array([1e4, -1e4, 1e4, -1e4]), np.array([1.0, 0.0, 0.0, 1.0]))),
    ),
    **{word: convolutions(word) for word in ("conv", "conv_input", "conv_weight")},
    "max_pool": pools("max_pool"),
    "max_pool_input": winners("max_pool_input"),
    "max_pool_pick": winners("max_pool_pick"),
    "average_pool": (*pools("average_pool", True), *pools("average_pool", False)),
    "average_pool_input": tuple(
        Sample(
            W["average_pool_input"](*settings, padding, sizes),
            (real(*W["average_pool"](*settings, padding).eval(np, np.zeros((2, *sizes, 3))).shape),),
        )
        for *settings, sizes in POOLS
        for padding in (True, False)
    ),
    "random_bits": draws("random_bits"),
    "uniform": (*draws("uniform", F32), *draws("uniform", F64), *draws("uniform", F16)),
    "normal": (*draws("normal", F32), *draws("normal", F64)),
    "bernoulli": (*draws("bernoulli", 0.3), *draws("bernoulli", 0.0)),
}
ALL = [sample for samples in SAMPLES.values() for sample in samples]
