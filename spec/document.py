"""YAML text -> nodes with places and comments, read so that no document can exhaust time or memory.

Scalars keep the text they have in the file. PyYAML is asked for events only; what it would make of them (`no` a truth,
`1:30` a number, the last of two equal keys) is not what people mean.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal, NoReturn

from .cursor import Mistake
from .errors import TooDeep
from .source import Diagnostic, Place, Source, Span
from .tree import Comments
from .yaml_errors import DuplicateKey, YamlAlias, YamlKey, YamlMerge, YamlShape, YamlSyntax, YamlTag, YamlTooLarge

if TYPE_CHECKING:
    import yaml

MAX_CHARACTERS = 1 << 20
MAX_NODES = 76_000
MAX_DEPTH = 64

_ANCHOR = re.compile(r"(?:&[^\s,\[\]{}]+\s+)")
_COMMENT = re.compile(r"(?:^|(?<=\s))#[^\n]*", re.MULTILINE)
_BLANK = re.compile(r"(?:[ \t\r]*(?:#[^\n]*)?\n)*[ \t]*")
_WORDS = {"scalar": "a text or a number", "list": "a list", "map": "a mapping of keys"}


class Node:
    """A scalar, a list or a mapping of a document, from `start` to `end` of its text."""

    __slots__ = ("end", "entries", "in_flow", "items", "kind", "size", "start", "style", "text")

    def __init__(self, kind: Literal["scalar", "list", "map"], start: int, *, in_flow: bool) -> None:
        self.kind = kind
        self.start = start
        self.end = start
        self.text = ""
        self.style = ""
        self.in_flow = in_flow
        self.items: list[Node] = []
        self.entries: list[tuple[Node, Node]] = []
        self.size = 1

    @property
    def is_null(self) -> bool:
        return self.kind == "scalar" and not self.style and self.text in ("", "~", "null", "Null", "NULL")

    @property
    def described(self) -> str:
        if self.is_null:
            return "nothing"
        return f"`{self.text}`" if self.kind == "scalar" and len(self.text) < 40 else _WORDS[self.kind]

    def get(self, key: str) -> Node | None:
        """The value under a key, or None where the key is missing."""
        return next((value for name, value in self.entries if name.text == key), None)


class Remark:
    """A comment. `alone` says that nothing else stands on its line."""

    __slots__ = ("alone", "column", "start", "text")

    def __init__(self, text: str, start: int, column: int, *, alone: bool) -> None:
        self.text = text
        self.start = start
        self.column = column
        self.alone = alone


class Document:
    """What a YAML text says: its root node, its comments that no node has taken yet, and its mistakes."""

    def __init__(self, source: Source, *, library: bool = False) -> None:
        self.source = source
        self.words_are_free = library
        self.mistakes: list[Diagnostic] = []
        self.scalars: list[tuple[int, int]] = []
        self.depth = 0
        self.height = 0
        self.root: Node | None = None
        try:
            self.root = _Composer(self).compose()
        except Mistake as mistake:
            self.mistakes.append(mistake.diagnostic)
        self.remarks = _remarks(source.text, self.scalars)

    def span(self, node: Node) -> Span:
        return Span(self.source, node.start, node.end)

    def place(self, node: Node) -> Place:
        return Place(self.span(node))

    def place_of(self, start: int, end: int) -> Place:
        return Place(Span(self.source, start, end))

    def report(self, diagnostic: Diagnostic) -> None:
        self.mistakes.append(diagnostic)

    def column(self, position: int) -> int:
        return position - self.source.text.rfind("\n", 0, position) - 1

    # Comments

    def take(self, start: int, end: int) -> list[Remark]:
        """The comments between two positions that nothing has taken yet."""
        low = bisect_left(self.remarks, start, key=lambda remark: remark.start)
        high = bisect_left(self.remarks, end, key=lambda remark: remark.start)
        taken = self.remarks[low:high]
        del self.remarks[low:high]
        return taken

    def take_before(self, position: int) -> tuple[str, ...]:
        return tuple(remark.text for remark in self.take(0, position))

    def has_gap(self, position: int) -> bool:
        """Whether a blank line stands before a position and the comments that lead to it."""
        start = min(position, self.remarks[0].start) if self.remarks else position
        return self.source.has_gap(start)

    def take_on_line(self, end: int) -> str:
        """The comment that shares the line on which something ends at `end`."""
        at = bisect_left(self.remarks, end, key=lambda remark: remark.start)
        if at < len(self.remarks):
            remark = self.remarks[at]
            if not self.source.text[end : remark.start].strip(" \t,:") and not remark.alone:
                return self.remarks.pop(at).text
        return ""

    def take_around(self, start: int, end: int) -> Comments:
        """The comments inside of something and on the line on which it ends: one of those that share a line is its."""
        inside = self.take(start, end)
        alone = tuple(remark.text for remark in inside if remark.alone)
        shared = tuple(remark.text for remark in inside if not remark.alone)
        after = self.take_on_line(end)
        if shared and not after:
            *shared_before, after = shared
            shared = tuple(shared_before)
        return Comments((*alone, *shared), after)

    def take_below(self, end: int, column: int) -> tuple[str, ...]:
        """The comment lines below the line of `end` that are indented at least to `column`."""
        end = self.source.text.find("\n", end)
        if end < 0:
            return ()
        at = bisect_left(self.remarks, end, key=lambda remark: remark.start)
        stop = at
        while stop < len(self.remarks) and self.remarks[stop].alone and self.remarks[stop].column >= column:
            if not _BLANK.fullmatch(self.source.text, end, self.remarks[stop].start):
                break
            end = self.source.text.find("\n", self.remarks[stop].start)
            stop += 1
        taken = self.remarks[at:stop]
        del self.remarks[at:stop]
        return tuple(remark.text for remark in taken)


def _remarks(text: str, scalars: list[tuple[int, int]]) -> list[Remark]:
    found = []
    position = 0
    for start, end in (*scalars, (len(text), len(text))):
        for match in _COMMENT.finditer(text, position, max(start, position)):
            line = text.rfind("\n", 0, match.start()) + 1
            alone = not text[line : match.start()].strip()
            words = match[0][1:].removeprefix(" ").rstrip()
            found.append(Remark(words, match.start(), match.start() - line, alone=alone))
        position = max(position, end)
    return found


class _Composer:
    """Builds nodes from events; stops at the first thing that is too much."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.source = document.source
        self.anchors: dict[str, Node | None] = {}
        self.nodes = 0

    def compose(self) -> Node | None:
        if len(self.source.text) > MAX_CHARACTERS:
            raise Mistake(YamlTooLarge(self._at(0), "characters", f"{MAX_CHARACTERS:_}"))
        stack: list[tuple[Node, list[Node], str]] = []
        root: Node | None = None
        for event in self._events():
            kind = type(event).__name__
            node: Node | None = None
            if kind in ("ScalarEvent", "AliasEvent"):
                node = self._scalar(event, stack) if kind == "ScalarEvent" else self._alias(event)
            elif kind in ("MappingStartEvent", "SequenceStartEvent"):
                stack.append(self._open(event, stack))
            elif kind in ("MappingEndEvent", "SequenceEndEvent"):
                node = self._close(event, *stack.pop())
            elif kind == "DocumentStartEvent" and root is not None:
                raise Mistake(YamlSyntax(self._at(event.start_mark.index), "a second document begins here"))
            if node is not None and stack:
                stack[-1][1].append(node)
            elif node is not None:
                root = node
        return root

    def _events(self) -> Iterator[Any]:
        import yaml

        loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        try:
            yield from yaml.parse(self.source.text, loader)
        except yaml.MarkedYAMLError as error:
            self._refuse(error)
        except (yaml.YAMLError, ValueError) as error:
            position = getattr(error, "position", 0)
            raise Mistake(YamlSyntax(self._at(position), str(getattr(error, "reason", error)))) from None

    def _refuse(self, error: yaml.MarkedYAMLError) -> NoReturn:
        mark = error.problem_mark or error.context_mark
        position = min(mark.index if mark else 0, len(self.source.text))
        if error.problem == "exceeded maximum nesting depth":  # of libyaml's own, which reads ahead
            raise Mistake(TooDeep(self._at(position), MAX_DEPTH))
        problem, instead = explain(error.problem or "it cannot be read", self.source.text, position)
        raise Mistake(YamlSyntax(self._at(position), problem, instead)) from None

    def _at(self, position: int, end: int | None = None) -> Place:
        return Place(Span(self.source, position, position if end is None else end))

    def _count(self, size: int, position: int) -> None:
        self.nodes += size
        if self.nodes > MAX_NODES:
            raise Mistake(YamlTooLarge(self._at(position), "values, with aliases expanded", f"{MAX_NODES:_}"))

    def _open(self, event: Any, stack: list[tuple[Node, list[Node], str]]) -> tuple[Node, list[Node], str]:
        kind: Literal["map", "list"] = "map" if type(event).__name__ == "MappingStartEvent" else "list"
        node = Node(kind, event.start_mark.index, in_flow=bool(event.flow_style))
        node.start = self._content_start(event)
        self._count(1, node.start)
        if len(stack) >= MAX_DEPTH:
            raise Mistake(TooDeep(self._at(node.start), MAX_DEPTH))
        if event.anchor:
            self.anchors[event.anchor] = None
        return node, [], event.anchor or ""

    def _close(self, event: Any, node: Node, children: list[Node], anchor: str) -> Node:
        node.end = event.end_mark.index if node.in_flow else max([node.start, *(child.end for child in children)])
        node.size += sum(child.size for child in children)
        if node.kind == "list":
            node.items = children
        else:
            node.entries = list(zip(children[::2], children[1::2], strict=True))
            self._check_keys(node)
        if anchor:
            self.anchors[anchor] = node
        return node

    def _scalar(self, event: Any, stack: list[tuple[Node, list[Node], str]]) -> Node:
        node = Node("scalar", event.start_mark.index, in_flow=bool(stack) and stack[-1][0].in_flow)
        node.start = self._content_start(event)
        node.end = event.end_mark.index
        node.text = event.value
        node.style = event.style or ""
        if node.style in ("|", ">"):
            node.end = node.start + len(self.source.text[node.start : node.end].rstrip())
            header = self.source.text.find("\n", node.start, node.end)
            self.document.scalars.append((header if header >= 0 else node.end, node.end))
        else:
            self.document.scalars.append((node.start, node.end))
        self._count(1, node.start)
        if event.anchor:
            self.anchors[event.anchor] = node
        return node

    def _content_start(self, event: Any) -> int:
        start: int = event.start_mark.index
        if event.tag is not None:
            found = self.source.text[start:].split(maxsplit=1)[0]
            raise Mistake(YamlTag(self._at(start, start + len(found)), found))
        if event.anchor:
            match = _ANCHOR.match(self.source.text, start)
            return match.end() if match else start
        return start

    def _alias(self, event: Any) -> Node:
        place = self._at(event.start_mark.index, event.end_mark.index)
        if event.anchor not in self.anchors:
            raise Mistake(YamlAlias(place, event.anchor, "names nothing"))
        node = self.anchors[event.anchor]
        if node is None:
            raise Mistake(YamlAlias(place, event.anchor, "stands inside what it names"))
        self._count(node.size, event.start_mark.index)
        return node

    def _check_keys(self, node: Node) -> None:
        """Report keys that cannot be, and leave them out."""
        first: dict[str, Node] = {}
        entries, node.entries = node.entries, []
        for key, value in entries:
            place = self.document.place(key)
            if key.kind != "scalar" or (key.is_null and key.start == key.end):
                self.document.report(YamlKey(place, key.described))
            elif key.text == "<<":
                self.document.report(YamlMerge(place))
            elif key.text in first:
                related = (("first given here", self.document.span(first[key.text])),)
                self.document.report(DuplicateKey(place, key.text, related=related))
            else:
                first[key.text] = key
                node.entries.append((key, value))


# An item that is one word, where the line below it begins with a key.
_BARE_WORD = re.compile(r"^ *- +(\w+) *(?:#.*)?\n +\w+\Z", re.MULTILINE | re.ASCII)
_QUOTE = "an expression with such signs needs quotes"
# What PyYAML's messages contain, what to say instead, and what to do.
_PROBLEMS = (
    ("mapping values are not allowed", "a second `:` on one line", _QUOTE),
    ("comment or line break", "more text where the value has ended", _QUOTE),
    ("expected ',' or ']'", "expected `,` or `]`", _QUOTE),
    ("expected ',' or '}'", "expected `,` or `}`", _QUOTE),
    ("end of stream", "a quote is never closed", ""),
    ("expected ':'", "a key without its `:`", ""),
    ("escape character", "the escape is unknown", "use single quotes, or a `|` block"),
    ("expected key", "the line does not fit those before it", f"indent it like its neighbours; {_QUOTE}"),
    ("'-' indicator", "the line does not fit those before it", f"indent it like its neighbours; {_QUOTE}"),
    ("document start", "more text where the document has ended", _QUOTE),
)


def explain(problem: str, text: str, position: int) -> tuple[str, str]:
    """What PyYAML calls the problem, in words of the field, and what to do about it."""
    line = text[text.rfind("\n", 0, position) + 1 :].split("\n", 1)[0]
    if "\t" in line[: len(line) - len(line.lstrip())]:
        return "a tab cannot indent", "indent with spaces"
    if "cannot start any token" in problem:
        return f"`{text[position : position + 1]}` cannot begin a value", _QUOTE
    if bare := _BARE_WORD.search(text[:position]):
        return f"`{bare[1]}` has keys below it, but no `:`", f"write `- {bare[1]}:`"
    for part, title, instead in _PROBLEMS:
        if part in problem:
            return title, instead
    return problem, ""


def expected(document: Document, node: Node, where: str, what: str, instead: str = "") -> Mistake:
    """The mistake that a node is which should be something else."""
    return Mistake(YamlShape(document.place(node), where, what, node.described, instead))


def joined(first: Comments, second: Comments) -> Comments:
    """The comments of two parts of one statement."""
    extra = (first.after,) if first.after and second.after else ()
    return Comments(
        (*first.before, *extra, *second.before),
        second.after or first.after,
        first.below + second.below,
        first.gap or second.gap,
    )
