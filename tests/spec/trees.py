"""Random models for the property tests: everything the tree can say that both notations can."""

from __future__ import annotations

from hypothesis import strategies as st

from axonc.spec.source import Source, Span
from axonc.spec.tree import (
    Argument,
    Assert,
    Assign,
    Binary,
    Binding,
    Block,
    Call,
    Choice,
    Comments,
    Constant,
    Data,
    Declare,
    Generate,
    Group,
    If,
    Include,
    Index,
    Input,
    ListOf,
    Loss,
    Member,
    Metric,
    Model,
    Name,
    Number,
    Output,
    Over,
    Pipe,
    Repeat,
    Rest,
    Result,
    Scan,
    Setting,
    Settings,
    Slice,
    Slot,
    Text,
    Train,
    Type,
    Unary,
)

HERE = Span(Source("random", ""), 0, 0)
WORDS = ["x", "y", "h", "a", "b", "f", "g", "dense", "relu", "no", "null", "True", "as", "from_", "layers", "states"]
VALUES = [*WORDS, "true", "none", "training", "from", "with_", "residual", "expression", "weights"]
KEYS = [*WORDS, "weight", "if", "in", "from", "as", "axis"]
COMPARISONS = ["==", "!=", "<", ">", "<=", ">="]
OPERATORS = [*COMPARISONS, "+", "-", "*", "/", "//", "%", "@", "**", "and", "or"]


def name(words: list[str] = WORDS) -> st.SearchStrategy[Name]:
    return st.sampled_from(words).map(lambda word: Name(HERE, word))


numbers = st.one_of(
    st.integers(0, 10**6).map(lambda n: Number(HERE, n, str(n))),
    st.sampled_from(["1e-3", "2GB", "61_706", "0.5", "3e8", "1.5M", "4KiB"]).map(lambda t: Number(HERE, _value(t), t)),
)
texts = st.sampled_from(["", "a b", "it's", 'say "a"', "back\\slash", "# no comment", "x: y", "é日本", "'", "%"]).map(
    lambda t: Text(HERE, t)
)


def _value(spelling: str) -> float | int:
    known = {"2GB": 2 * 10**9, "61_706": 61706, "1.5M": 1_500_000, "4KiB": 4096}
    return known[spelling] if spelling in known else float(spelling)


def _deeper(part: st.SearchStrategy) -> st.SearchStrategy:
    def arguments(found: list[tuple[Name | None, object]]) -> tuple[Argument, ...]:
        seen: set[str] = set()
        kept = []
        for label, value in found:
            if label is None or label.text not in seen:
                kept.append(Argument(HERE, label, value))
                seen.add(label.text if label else "")
        return tuple(kept)

    argument_lists = st.lists(st.tuples(st.none() | name(KEYS), part), max_size=3).map(arguments)
    function = st.one_of(name(VALUES), name(VALUES), part)
    bound = st.none() | part
    slices = st.builds(lambda a, b, c: Slice(HERE, a, b, c), bound, bound, bound)
    indices = st.lists(st.one_of(part, slices, st.just(Rest(HERE))), min_size=1, max_size=2).map(tuple)
    return st.one_of(
        st.lists(part, max_size=3).map(lambda items: ListOf(HERE, tuple(items))),
        st.builds(lambda f, a: Call(HERE, f, a), function, argument_lists),
        st.builds(lambda v, i: Index(HERE, v, i), part, indices),
        st.builds(lambda v, n: Member(HERE, v, n), part, name(KEYS)),
        st.builds(lambda o, v: Unary(HERE, o, v), st.sampled_from(["-", "+", "not"]), part),
        st.builds(lambda o, a, b: Binary(HERE, o, a, b, HERE), st.sampled_from(OPERATORS), part, part),
        st.builds(lambda a, b, c: Choice(HERE, a, b, c), part, part, part),
        st.builds(lambda a, b: Pipe(HERE, a, b), part, part),
        st.builds(_chain, part, st.lists(st.builds(lambda f, a: Call(HERE, f, a), name(VALUES), argument_lists))),
    )


def _chain(value: object, steps: list[object]) -> object:
    for step in steps[:3]:
        value = Pipe(HERE, value, step)
    return value


expressions = st.recursive(st.one_of(name(VALUES), numbers, texts), _deeper, max_leaves=6)
types = st.builds(lambda d, s: Type(HERE, d, tuple(s)), name(["f32", "i64"]), st.lists(expressions, max_size=2))
relations = st.builds(
    lambda o, a, b: Binary(HERE, o, a, b, HERE), st.sampled_from(COMPARISONS), expressions, expressions
)

remarks = st.sampled_from(["", "one", "two", "three: 3", "a # b", "#", "- dash"])
comments = st.one_of(
    st.just(Comments()),
    st.just(Comments()),
    st.builds(
        lambda b, a, g: Comments(tuple(t for t in b if t), a, gap=g), st.lists(remarks, max_size=2), remarks, st.booleans()
    ),
)


def scans(body: st.SearchStrategy) -> st.SearchStrategy:
    def build(names: list[str], parts: list[object], carried: int, settings: dict[str, object], inner: object) -> Scan:
        overs = tuple(Over(HERE, Name(HERE, n), p) for n, p in zip(names, parts, strict=False))
        cut = max(1, len(overs) - carried)
        found = tuple(Argument(HERE, Name(HERE, k), v) for k, v in settings.items())
        return Scan(HERE, found, overs[:cut], overs[cut:], inner)

    return st.builds(
        build,
        st.lists(st.sampled_from(WORDS), min_size=3, max_size=3, unique=True),
        st.lists(expressions, min_size=1, max_size=3),
        st.integers(0, 2),
        st.dictionaries(st.sampled_from(["length", "reverse", "truncate"]), expressions, max_size=2),
        body,
    )


def bodies(depth: int, *, result: bool, losses: bool = True) -> st.SearchStrategy:
    """The statements of a body; with `result` the last may be a bare value."""
    inner = bodies(depth - 1, result=False) if depth else st.just(())
    scanned = st.booleans().flatmap(lambda r: bodies(depth - 1, result=r)) if depth else st.just(())
    several = st.lists(expressions, min_size=1, max_size=2).map(tuple)
    values = st.one_of(several, several, several, scans(scanned))
    names = st.lists(name(), min_size=1, max_size=2).map(tuple)
    options = [
        st.builds(lambda n, v, c: Assign(HERE, n, v, comments=c), names, values, comments),
        st.builds(lambda n, v, c: Assign(HERE, (n,), (v,), comments=c), name(["x", "y"]), expressions, comments),
        st.builds(
            lambda k, n, t, i, c: Declare(HERE, k, (n,), t, i, comments=c),
            st.sampled_from(["weight", "state"]),
            name(),
            types,
            st.none() | expressions,
            comments,
        ),
        st.builds(
            lambda n, o, b, c: Repeat(HERE, tuple(n), o, b, comments=c),
            st.lists(name(), max_size=2),
            expressions,
            inner,
            comments,
        ),
        st.builds(lambda i, t, o, c: If(HERE, i, t, o, comments=c), expressions, inner, inner, comments),
    ]
    if losses:
        options += [
            st.builds(lambda n, v, c: Loss(HERE, n, v, comments=c), st.none() | name(KEYS), expressions, comments),
            st.builds(lambda r, c: Assert(HERE, (r,), comments=c), relations, comments),
        ]
    statements = st.lists(st.one_of(options), max_size=4).map(tuple)
    if not result:
        return statements
    last = st.builds(lambda v, c: Result(HERE, v, comments=c), values, comments)
    return st.builds(lambda s, r: (*s, r), statements, last)


def unique(strategy: st.SearchStrategy, key: object, most: int = 2) -> st.SearchStrategy:
    return st.lists(strategy, max_size=most, unique_by=key).map(tuple)


def settings(keys: dict[str, st.SearchStrategy]) -> st.SearchStrategy:
    items = st.one_of(
        [st.builds(lambda v, c, k=k: Setting(HERE, Name(HERE, k), v, comments=c), v, comments) for k, v in keys.items()]
    )
    return unique(items, lambda s: s.name.text, 3).map(lambda found: Settings(HERE, found))


calls = st.builds(lambda f, v: Call(HERE, f, (Argument(HERE, None, v),)), name(), numbers)
renames = unique(
    st.builds(lambda a, b, c: Setting(HERE, a, b, comments=c), texts, texts, comments), lambda s: s.name.value
).map(lambda found: Settings(HERE, found))
slots = st.builds(lambda n, d: Slot(HERE, n, d), name(), st.none() | expressions)


def _block(label: Name, found: tuple[Slot, ...], cut: int, body: object, remark: Comments) -> Block:
    return Block(HERE, label, found[:cut], found[cut:], body, comments=remark)


@st.composite
def models(draw: st.DrawFn) -> Model:
    has_name = draw(st.booleans())
    by_name = lambda node: node.name.text  # noqa: E731
    words = draw(st.permutations(["c1", "c2", "b1", "b2"]))
    constant = st.builds(
        lambda n, v, c: Constant(HERE, n, v, comments=c), name([w for w in words if w < "c"] or WORDS), expressions, comments
    )
    block = st.builds(
        _block,
        name([w for w in words if w > "c"]),
        unique(slots, by_name, 3),
        st.integers(0, 3),
        bodies(2, result=True),
        comments,
    )
    binding = st.builds(
        lambda t, n, v, c: Binding(HERE, t, n, v, comments=c), st.booleans(), name(KEYS), expressions, comments
    )
    data = st.builds(
        lambda s, b, o, c: Data(HERE, s, tuple(sorted(b, key=lambda x: x.target)), o, comments=c),
        st.none() | texts,
        unique(binding, by_name),
        settings({"batch": numbers.filter(lambda n: isinstance(n.value, int)), "augment": expressions,
                  "split": settings({"train": numbers, "test": numbers})}),
        comments,
    )  # fmt: skip
    train = st.builds(
        lambda o, c: Train(HERE, o, comments=c),
        settings({"optimizer": calls, "schedule": expressions, "stop": settings({"monitor": expressions})}),
        comments,
    )
    group = st.builds(
        lambda p, o, c: Group(HERE, p, o, comments=c),
        texts,
        settings({"initial": calls, "l2": numbers, "rename": renames, "source": texts}),
        comments,
    )
    generate = st.builds(
        lambda n, f, o, c: Generate(HERE, n, f, o, comments=c),
        name(KEYS),
        expressions,
        settings({"limit": name(), "stop": expressions}),
        comments,
    )
    return Model(
        HERE,
        draw(st.none() | st.just(Number(HERE, 1, "1"))),
        draw(name()) if has_name else None,
        constants=draw(unique(constant, by_name)) if has_name else (),
        includes=draw(st.lists(st.builds(lambda t, c: Include(HERE, t, comments=c), texts, comments), max_size=1).map(tuple)),
        data=draw(st.none() | data),
        inputs=draw(unique(st.builds(lambda n, t, c: Input(HERE, n, t, comments=c), name(), types, comments), by_name)),
        blocks=draw(unique(block, by_name)),
        body=draw(bodies(2, result=False, losses=False)),
        outputs=draw(
            unique(
                st.builds(lambda n, v, c: Output(HERE, n, v, comments=c), name(KEYS), st.none() | expressions, comments),
                by_name,
            )
        ),
        losses=draw(
            st.lists(
                st.builds(lambda n, v, c: Loss(HERE, n, v, comments=c), st.none() | name(KEYS), expressions, comments),
                max_size=2,
            ).map(tuple)
        ),
        metrics=draw(
            st.lists(
                st.builds(lambda n, v, c: Metric(HERE, n, v, comments=c), st.none() | name(KEYS), expressions, comments),
                max_size=2,
            ).map(tuple)
        ),
        groups=draw(unique(group, lambda g: g.pattern.value)),
        train=draw(st.none() | train),
        generate=draw(st.none() | generate),
        asserts=draw(
            st.lists(st.builds(lambda r, c: Assert(HERE, (r,), comments=c), relations, comments), max_size=2).map(tuple)
        ),
    )
