"""The items of a YAML list of layers -> statements, with the running value that one item hands to the next.

A layer without `from` takes the item before it. Where such a chain ends without `as` its value is called `x`; a body
of `repeat` or `if` begins with `x`, one of `scan` with what it runs over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from .clauses import asserts, declares, losses
from .cursor import Mistake
from .document import Document, Node, expected, joined
from .record import replace
from .scalars import attempt, call, deeper, expression, expressions, grow, layer, name, names_in, only_entry
from .source import Span
from .statements import SCAN_SETTINGS
from .suggest import nearest
from .tree import (
    Argument,
    Assign,
    Body,
    Comments,
    Expression,
    If,
    Name,
    Over,
    Pipe,
    Repeat,
    Result,
    Scan,
)
from .yaml_errors import LostValues, MissingKey, NoRunningValue, SeveralLayers, UnknownKey

RUNNING = "x"
LAYER_KEYS = ("from", "as")
KEYS: dict[str, tuple[str, ...]] = {
    "expression": ("as",),
    "weights": (),
    "states": (),
    "repeat": ("layers",),
    "if": ("then", "else"),
    "scan": ("with", *SCAN_SETTINGS, "layers", "as"),
    "loss": (),
    "assert": (),
}
_ALL_KEYS = frozenset(word for words in KEYS.values() for word in words) | frozenset(LAYER_KEYS)


class Chain:
    """The items since the last value that has a name: a statement as yet unfinished."""

    def __init__(self, d: Document, node: Node, values: tuple[Expression, ...] | Scan, height: int) -> None:
        self.d = d
        self.start = node.start
        self.end = node.end
        self.values = values
        self.height = height
        self.comments = Comments()

    @property
    def span(self) -> Span:
        return Span(self.d.source, self.start, self.end)

    def add(self, node: Node, step: Expression) -> None:
        """Pipe the value so far into a step whose height the document has noted."""
        assert not isinstance(self.values, Scan)
        grow(self.d, node, self.height, self.d.height)
        self.end = node.end
        self.height = self.d.height
        self.values = (Pipe(self.span, self.values[0], step),)


class Items:
    """Reads one list: the statements so far, the chain that is open, and the value that the next layer takes."""

    def __init__(self, d: Document, running: Name | None) -> None:
        self.d = d
        self.running = running
        self.chain: Chain | None = None
        self.statements: list[Body] = []
        self.is_first_running = True
        self.first_use: Span | None = None
        self.gap = False

    def read(self, node: Node, *, is_body: bool = True) -> None:
        """Every item of a list, going on after a mistake; the comments below the last belong to a body."""
        for item in node.items:
            self.gap = not node.in_flow and self.d.has_gap(item.start)
            before = self.d.take_before(item.start)
            attempt(self.d, self._item, item, before)
        if node.items and is_body and not node.in_flow:
            below = self.d.take_below(node.items[-1].end, self.d.column(node.start))
            self._note(Comments((), "", below))

    def end_named(self) -> tuple[Body, ...]:
        """The end of a list that has no result: an open chain is called `x`."""
        self._close()
        return tuple(self.statements)

    def end_result(self, *, is_block: bool) -> tuple[Body, ...]:
        """The end of a block or a scan: an open chain is the result, and in a block `x` after `repeat` or `if`."""
        if self.chain:
            self.statements.append(Result(self.chain.span, self.chain.values, comments=self.chain.comments))
            self.chain = None
        elif is_block and self.statements and isinstance(self.statements[-1], Repeat | If):
            span = self.statements[-1].span
            self.statements.append(Result(span, (Name(span, RUNNING),)))
        return tuple(self.statements)

    # Items

    def _item(self, item: Node, before: tuple[str, ...]) -> None:
        known = len(self.statements)
        if item.kind == "scalar":
            self._step(item, layer(self.d, item), None)
            passive = False
        else:
            passive = self._mapping(item)
        around = self.d.take_around(item.start, item.end)
        comments = Comments((*before, *around.before), around.after, gap=self._take_gap() and passive)
        if passive:
            self._note_passive(known, comments)
        else:
            self._note(comments)

    def _mapping(self, item: Node) -> bool:
        """Read a mapping; whether it leaves the running value as it is."""
        key, value = self._main(item)
        passive = _PASSIVE.get(key.text)
        if passive:
            header = self.d.take_on_line(key.end)
            known = len(self.statements)
            self.statements.extend(passive(self.d, value))
            is_loss = key.text == "loss"
            self._note_passive(known, Comments(() if is_loss or not header else (header,), header if is_loss else ""))
        elif key.text in _READERS:
            _READERS[key.text](self, item, value)
        else:
            self._step(item, call(self.d, key, value), item.get("from"))
            self._bind(item)
        return passive is not None

    def _main(self, item: Node) -> tuple[Node, Node]:
        """The entry that says what an item is; the others must belong to it."""
        main = next((entry for entry in item.entries if entry[0].text in KEYS), None)
        main = main or next((entry for entry in item.entries if entry[0].text not in LAYER_KEYS), None)
        main = main or next((entry for entry in item.entries if entry[0].text == "from"), None)
        if main is None:
            raise expected(self.d, item, "an item", "a layer", "write `- dense: 64` or `- relu`")
        allowed = KEYS.get(main[0].text, LAYER_KEYS)
        for entry in item.entries:
            if entry is not main and entry[0].text not in allowed:
                raise self._stray(main[0], entry, allowed)
        return main

    def _stray(self, main: Node, entry: tuple[Node, Node], allowed: Sequence[str]) -> Mistake:
        key, value = entry
        place = self.d.place(key)
        meant = nearest(key.text, allowed)
        if meant or main.text in KEYS or key.text in _ALL_KEYS:
            known = ", ".join(f"`{word}`" for word in allowed)
            return Mistake(UnknownKey(place, key.text, f"an item `{main.text}`", meant, known))
        instead = "the settings of a layer stand below its name: `dense: {units: 64}`"
        if main.text in ("type", "layer", "name", "op", "class"):
            instead = "a layer is written `- dense: 64`, its name `as: ...`"
        elif key.text == "name":
            instead = "what a layer gives gets its name by `as: ...`"
        elif value.is_null and key.in_flow:
            instead = "an expression with a comma needs quotes inside `{ }`"
        return Mistake(SeveralLayers(place, main.text, key.text, instead))

    def _step(self, item: Node, step: Expression, origin: Node | None) -> None:
        height = self.d.height
        if origin is not None:
            self._close()
            value = expression(self.d, origin)
            self._open(item, (value,), self.d.height)
        elif self.chain is None or isinstance(self.chain.values, Scan) or len(self.chain.values) > 1:
            self._close()
            self._open(item, (self._use_running(step.span),), 0)
        self.d.height = height
        assert self.chain
        self.chain.add(item, step)

    def _open(self, item: Node, values: tuple[Expression, ...] | Scan, height: int) -> None:
        self.chain = Chain(self.d, item, values, height)
        self.chain.comments = Comments(gap=self._take_gap())

    def _take_gap(self) -> bool:
        gap, self.gap = self.gap, False
        return gap

    def _use_running(self, span: Span) -> Name:
        if self.running is None:
            self.d.report(NoRunningValue(self.d.place_of(span.start, span.end), span.text))
            self.running = Name(span, RUNNING)
        if self.is_first_running and self.first_use is None:
            self.first_use = span
        return Name(Span(span.source, span.start, span.start), self.running.text)

    def _bind(self, item: Node) -> None:
        """`as`: the chain that ends here gets names."""
        node = item.get("as")
        if node is None:
            return
        parts = node.items if node.kind == "list" else [node]
        self._assign(tuple(name(self.d, part, "a value") for part in parts))

    def _assign(self, names: tuple[Name, ...]) -> None:
        assert self.chain
        self.statements.append(Assign(self.chain.span, names, self.chain.values, comments=self.chain.comments))
        self.chain = None
        self.running = names[0] if len(names) == 1 else None
        self.is_first_running = False

    def _close(self) -> None:
        """End an open chain: its value is called `x`."""
        if self.chain is None:
            return
        if isinstance(self.chain.values, tuple) and len(self.chain.values) > 1:
            self.d.report(LostValues(self.d.place_of(self.chain.start, self.chain.end)))
        self._assign((Name(Span(self.d.source, self.chain.end, self.chain.end), RUNNING),))

    def _note(self, comments: Comments) -> None:
        """Give comments to the statement that was read last, finished or not."""
        if comments == Comments():
            return
        if self.chain:
            self.chain.comments = joined(self.chain.comments, comments)
        elif self.statements:
            last = self.statements[-1]
            self.statements[-1] = replace(last, comments=joined(last.comments, comments))

    def _note_passive(self, known: int, comments: Comments) -> None:
        if len(self.statements) > known:
            first = self.statements[known]
            self.statements[known] = replace(
                first, comments=joined(Comments(comments.before, gap=comments.gap), first.comments)
            )
            last = self.statements[-1]
            self.statements[-1] = replace(last, comments=joined(last.comments, Comments((), comments.after)))

    # Items that are not layers

    def _origin(self, item: Node, value: Node) -> None:
        self._close()
        self._open(item, (expression(self.d, value),), self.d.height)
        self._bind(item)

    def _expression(self, item: Node, value: Node) -> None:
        self._close()
        self._open(item, expressions(self.d, value), self.d.height)
        self._bind(item)

    def _repeat(self, item: Node, value: Node) -> None:
        header = self._header(value)
        names: tuple[Name, ...] = ()
        counted = value
        if value.kind == "map":
            key, counted = only_entry(self.d, value, "`repeat`")
            names = names_in(self.d, key)
        over = expression(self.d, counted)
        body = self._body(item, "layers", "`repeat`")
        self._branch(body)
        self.statements.append(Repeat(self.d.span(item), names, over, body.end_named(), comments=header))

    def _if(self, item: Node, value: Node) -> None:
        header = self._header(value)
        condition = expression(self.d, value)
        then = self._body(item, "then", "`if`")
        otherwise = self._body(item, "else", "`if`") if item.get("else") else Items(self.d, None)
        self._branch(then, otherwise)
        found = If(self.d.span(item), condition, then.end_named(), otherwise.end_named(), comments=header)
        self.statements.append(found)

    def _branch(self, *bodies: Items) -> None:
        """Before a body: the open chain is called `x`, and so is a value that a body begins with."""
        self._close()
        use = next((body.first_use for body in bodies if body.first_use), None)
        if use and self._use_running(use).text != RUNNING:
            assert self.running
            span = Span(use.source, use.start, use.start)
            self.statements.append(Assign(span, (Name(span, RUNNING),), (replace(self.running, span=span),)))
        self.running = Name(Span(self.d.source, 0, 0), RUNNING)
        self.is_first_running = False

    def _body(self, item: Node, key: str, where: str, running: str = RUNNING) -> Items:
        node = item.get(key)
        if node is None:
            raise Mistake(MissingKey(self.d.place(item.entries[0][0]), key, where))
        if node.kind != "list":
            raise expected(self.d, node, f"`{key}`", "a list of layers", f"write `{key}: [...]`")
        deeper(self.d, node, 2)
        body = Items(self.d, Name(Span(self.d.source, node.start, node.start), running))
        body.read(node)
        self.d.depth -= 2
        return body

    def _header(self, value: Node) -> Comments:
        """The comments on the line of `repeat`, `if` or `scan` and in what it is about, before those of its body."""
        return replace(self.d.take_around(0, value.end), gap=self._take_gap())

    def _scan(self, item: Node, value: Node) -> None:
        header = self._header(value)
        self._close()
        over = self._overs(value, "scan")
        given = item.get("with")
        carried = self._overs(given, "with") if given else ()
        settings = tuple(self._setting(key, node) for key, node in item.entries if key.text in SCAN_SETTINGS)
        body = self._body(item, "layers", "`scan`", over[0].name.text)
        found = Scan(self.d.span(item), settings, over, carried, body.end_result(is_block=False))
        self._open(item, found, 0)
        self._note(header)
        self._bind(item)

    def _setting(self, key: Node, value: Node) -> Argument:
        label = Name(self.d.span(key), key.text)
        return Argument(label.span.to(self.d.span(value)), label, expression(self.d, value))

    def _overs(self, node: Node, where: str) -> tuple[Over, ...]:
        if node.kind != "map" or not node.entries:
            raise expected(self.d, node, f"`{where}`", "a mapping of names", f"write `{where}: {{x: values}}`")
        found = []
        for key, value in node.entries:
            label = name(self.d, key, "a value")
            found.append(Over(label.span.to(self.d.span(value)), label, expression(self.d, value)))
        return tuple(found)


_PASSIVE: dict[str, Callable[[Document, Node], Iterable[Body]]] = {
    "weights": lambda d, node: declares(d, node, "weight"),
    "states": lambda d, node: declares(d, node, "state"),
    "loss": losses,
    "assert": asserts,
}
_READERS: dict[str, Callable[[Items, Node, Node], None]] = {
    "from": Items._origin,
    "expression": Items._expression,
    "repeat": Items._repeat,
    "if": Items._if,
    "scan": Items._scan,
}
