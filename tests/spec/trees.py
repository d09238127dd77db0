"""Random models for the property tests: everything the tree can say that both notations can."""

from __future__ import annotations

from collections.abc import Callable

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
    Statement,
    Text,
    Train,
    Type,
    Unary,
)
from hypothesis import strategies as st

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
        lambda before, after, gap: Comments(tuple(text for text in before if text), after, gap=gap),
        st.lists(remarks, max_size=2),
        remarks,
        st.booleans(),
    ),
)


def node(kind: Callable[..., Statement], *parts: st.SearchStrategy) -> st.SearchStrategy:
    """A statement of random parts with random comments."""
    return st.builds(lambda found, remark: kind(HERE, *found, comments=remark), st.tuples(*parts), comments)


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
    name_lists = st.lists(name(), max_size=2).map(tuple)
    options = [
        node(Assign, names, values),
        node(Assign, name(["x", "y"]).map(lambda n: (n,)), expressions.map(lambda e: (e,))),
        node(Declare, st.sampled_from(["weight", "state"]), name().map(lambda n: (n,)), types, st.none() | expressions),
        node(Repeat, name_lists, expressions, inner),
        node(If, expressions, inner, inner),
    ]
    if losses:
        options += [node(Loss, st.none() | name(KEYS), expressions), node(Assert, relations.map(lambda r: (r,)))]
    statements = st.lists(st.one_of(options), max_size=4).map(tuple)
    if not result:
        return statements
    return st.builds(lambda s, r: (*s, r), statements, node(Result, values))


def unique(strategy: st.SearchStrategy, key: object, most: int = 2) -> st.SearchStrategy:
    return st.lists(strategy, max_size=most, unique_by=key).map(tuple)


def settings(keys: dict[str, st.SearchStrategy]) -> st.SearchStrategy:
    items = st.one_of([node(Setting, st.just(Name(HERE, key)), value) for key, value in keys.items()])
    return unique(items, lambda s: s.name.text, 3).map(lambda found: Settings(HERE, found))


calls = st.builds(lambda f, v: Call(HERE, f, (Argument(HERE, None, v),)), name(), numbers)
counts = numbers.filter(lambda n: isinstance(n.value, int))
renames = unique(node(Setting, texts, texts), lambda s: s.name.value).map(lambda found: Settings(HERE, found))
slots = st.builds(lambda n, d: Slot(HERE, n, d), name(), st.none() | expressions)


def by_name(found: object) -> str:
    return found.name.text


def _block(here: Span, label: Name, found: tuple[Slot, ...], cut: int, body: object, *, comments: Comments) -> Block:
    return Block(here, label, found[:cut], found[cut:], body, comments=comments)


constants = node(Constant, name(["c1", "c2"]), expressions)
blocks = node(_block, name(["b1", "b2"]), unique(slots, by_name, 3), st.integers(0, 3), bodies(2, result=True))
bindings = unique(node(Binding, st.booleans(), name(KEYS), expressions), by_name)
splits = settings({"train": numbers, "test": numbers})
data = node(
    Data,
    st.none() | texts,
    bindings.map(lambda found: tuple(sorted(found, key=lambda binding: binding.target))),
    settings({"batch": counts, "augment": expressions, "split": splits}),
)
stops = settings({"monitor": expressions})
train = node(Train, settings({"optimizer": calls, "schedule": expressions, "stop": stops}))
groups = node(Group, texts, settings({"initial": calls, "l2": numbers, "rename": renames, "source": texts}))
generate = node(Generate, name(KEYS), expressions, settings({"limit": name(), "stop": expressions}))


@st.composite
def models(draw: st.DrawFn) -> Model:
    """A whole model; constants only where it has a name to stand behind."""
    label = draw(st.none() | name())
    return Model(
        HERE,
        draw(st.none() | st.just(Number(HERE, 1, "1"))),
        label,
        constants=draw(unique(constants, by_name)) if label else (),
        includes=draw(st.lists(node(Include, texts), max_size=1).map(tuple)),
        data=draw(st.none() | data),
        inputs=draw(unique(node(Input, name(), types), by_name)),
        blocks=draw(unique(blocks, by_name)),
        body=draw(bodies(2, result=False, losses=False)),
        outputs=draw(unique(node(Output, name(KEYS), st.none() | expressions), by_name)),
        losses=draw(st.lists(node(Loss, st.none() | name(KEYS), expressions), max_size=2).map(tuple)),
        metrics=draw(st.lists(node(Metric, st.none() | name(KEYS), expressions), max_size=2).map(tuple)),
        groups=draw(unique(groups, lambda group: group.pattern.value)),
        train=draw(st.none() | train),
        generate=draw(st.none() | generate),
        asserts=draw(st.lists(node(Assert, relations.map(lambda r: (r,))), max_size=2).map(tuple)),
    )
