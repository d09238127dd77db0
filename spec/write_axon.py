"""Model -> the canonical text of the language's own notation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar, assert_never

from .record import replace
from .tree import (
    Assert,
    Assign,
    Binding,
    Block,
    Body,
    Comments,
    Constant,
    Data,
    Declare,
    Expression,
    Generate,
    Group,
    If,
    Input,
    Loss,
    Metric,
    Model,
    Name,
    Output,
    Over,
    Repeat,
    Result,
    Scan,
    Setting,
    Settings,
    Slot,
    Statement,
    Text,
    Train,
)
from .write_expression import STEP, WIDTH, arguments_text, flat, laid_out, text_text, type_text

S = TypeVar("S", bound=Statement)


def write(model: Model) -> str:
    """The whole file."""
    parts = [
        _heads(model),
        [line for node in model.includes for line in _commented(node, f"include {text_text(node.path.value)}", "")],
        _data(model.data) if model.data else [],
        [line for node in model.inputs for line in _commented(node, _input(node), "")],
        *_blocks(model.blocks),
        _body(model.body, ""),
        [line for nodes in (model.outputs, model.losses, model.metrics) for node in nodes for line in _named(node)],
        [line for node in (*model.groups, model.train, model.generate) if node for line in _with_settings(node)],
        [line for node in model.asserts for line in _statement(node, "")],
        [comment_line(text) for text in model.comments.below],
    ]
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"


def comment_line(text: str) -> str:
    return f"#{text}" if text[:1] in ("#", "!") else f"# {text}".rstrip()


def _commented(node: Statement, text: str, indent: str) -> list[str]:
    """The lines of a statement without a body, with its comments; `text` may hold several."""
    lines = [indent + comment_line(line) for line in node.comments.before]
    after = f"  {comment_line(node.comments.after)}" if node.comments.after else ""
    lines.append(f"{indent}{text}{after}")
    return lines + [indent + comment_line(line) for line in node.comments.below]


# The first lines


def _heads(model: Model) -> list[str]:
    lines = [comment_line(text) for text in model.comments.before]
    if model.version:
        lines.append(f"axonc {flat(model.version)}")
    if model.name:
        lines.append(_header(model.name, model.constants))
    if model.comments.after and (model.version or model.name):
        lines[-1] += f"  {comment_line(model.comments.after)}"
    elif model.comments.after:
        lines.append(comment_line(model.comments.after))
    return lines


def _header(name: Name, constants: tuple[Constant, ...]) -> str:
    if not constants:
        return f"model {name.text}"
    texts = [f"{node.name.text} = {flat(node.value)}" for node in constants]
    line = f"model {name.text}({', '.join(texts)})"
    if len(line) <= WIDTH and not any(_has_comments(node) for node in constants):
        return line
    lines = [f"model {name.text}("]
    for node in constants:
        column = len(STEP) + len(node.name.text) + 3
        text = f"{node.name.text} = {laid_out(node.value, STEP, column)}"
        lines += _commented(node, text + ("," if node is not constants[-1] else ""), STEP)
    return "\n".join([*lines, ")"])


def _has_comments(node: Statement) -> bool:
    comments = node.comments
    return bool(comments.before or comments.after or comments.below)


# Sections


def _data(node: Data) -> list[str]:
    source = f" {text_text(node.source.value)}" if node.source else ""
    items: tuple[Binding | Setting, ...] = (*node.bindings, *node.settings.items)
    return _braced(node, f"data{source}", items, _bind_or_setting, "", most=2)


def _bind_or_setting(node: Binding | Setting, indent: str) -> str:
    if isinstance(node, Setting):
        return _setting(node, indent)
    head = f"{'target ' if node.target else ''}{node.name.text} = "
    return head + laid_out(node.value, indent, len(indent) + len(head))


def _input(node: Input) -> str:
    return f"input {node.name.text}: {type_text(node.type)}"


def _with_settings(node: Group | Train | Generate) -> list[str]:
    match node:
        case Group():
            head = f"group {text_text(node.pattern.value)}"
        case Train():
            head = "train"
        case Generate():
            head = f"generate {node.input.text} from "
            head += laid_out(node.origin, "", len(head))
        case _:
            assert_never(node)
    return _braced(node, head, node.settings.items, _setting, "")


def _setting(node: Setting, indent: str) -> str:
    name = text_text(node.name.value) if isinstance(node.name, Text) else node.name.text
    if isinstance(node.value, Settings):
        lines = _braced(_bare(node), name, node.value.items, _setting, indent)
        return "\n".join(lines).removeprefix(indent)
    return f"{name} {laid_out(node.value, indent, len(indent) + len(name) + 1)}"


def _bare(node: Setting) -> Setting:
    return Setting(node.span, node.name, node.value)


def _braced(
    node: Statement, head: str, items: Sequence[S], write_item: Callable[[S, str], str], indent: str, most: int = 99
) -> list[str]:
    """`head { item; item }` where that fits and has no comments inside, else one item a line."""
    one = f"{head} {{ {'; '.join(write_item(item, '') for item in items)} }}" if items else f"{head} {{}}"
    fits = len(indent) + len(one) <= WIDTH and "\n" not in one and len(items) <= most
    if fits and not any(_has_inner_comments(item) for item in items):
        return _commented(node, one, indent)
    deeper = indent + STEP
    lines = [line for item in items for line in _commented(item, write_item(item, deeper), deeper)]
    return _around(node, head, lines, indent)


def _has_inner_comments(node: Statement) -> bool:
    if isinstance(node, Setting) and isinstance(node.value, Settings):
        return _has_comments(node) or any(_has_inner_comments(item) for item in node.value.items)
    return _has_comments(node)


def _around(node: Statement, head: str, lines: Iterable[str], indent: str) -> list[str]:
    """A head with `{`, the lines of a body, and `}`; the comment that shares the head's line stands there."""
    first, *rest = _commented_head(node, f"{head} {{", indent)
    return [first, *rest, *lines, f"{indent}}}"]


def _commented_head(node: Statement, text: str, indent: str) -> list[str]:
    bare = Comments(node.comments.before, node.comments.after)
    return _commented(Statement(node.span, comments=bare), text, indent)


def _named(node: Output | Loss | Metric) -> list[str]:
    return _commented(node, _named_text(node, ""), "")


def _named_text(node: Output | Loss | Metric, indent: str) -> str:
    word = type(node).__name__.lower()
    if isinstance(node, Output) and node.value is None:
        return f"{word} {node.name.text}"
    assert node.value
    head = f"{word} {node.name.text} = " if node.name else f"{word} "
    return head + laid_out(node.value, indent, len(indent) + len(head))


# Blocks and statements


def _blocks(blocks: tuple[Block, ...]) -> list[list[str]]:
    """Each block; those that take one line stand together."""
    parts: list[list[str]] = []
    for block in blocks:
        lines = _block(block)
        if parts and len(lines) == 1 and all(line.startswith("block ") for line in parts[-1]):
            parts[-1] += lines
        else:
            parts.append(lines)
    return parts


def _block(block: Block) -> list[str]:
    inputs, settings = ([_slot(slot) for slot in slots] for slots in (block.inputs, block.settings))
    head = f"block {block.name.text}({', '.join(inputs)}{'; ' if settings else ''}{', '.join(settings)})"
    if len(head) + 2 > WIDTH:
        first = f"{STEP}{', '.join(inputs)}{';' if settings else ''}\n"
        second = f"{STEP}{', '.join(settings)}\n" if settings else ""
        head = f"block {block.name.text}(\n{first}{second})"
    return _with_body(block, head, block.body, "")


def _slot(slot: Slot) -> str:
    return f"{slot.name.text} = {flat(slot.default)}" if slot.default else slot.name.text


def _with_body(node: Statement, head: str, body: tuple[Body, ...], indent: str) -> list[str]:
    one = _on_one_line(head, body, indent)
    if one is not None:
        return _commented(node, one, indent)
    return _around(node, head, _body(body, indent + STEP), indent)


def _on_one_line(head: str, body: tuple[Body, ...], indent: str) -> str | None:
    """`head { statement }` where there is at most one, without comments, and it fits."""
    if not body:
        return f"{head} {{}}"
    if len(body) > 1 or _has_comments(body[0]):
        return None
    lines = _statement(body[0], "")
    one = f"{head} {{ {lines[0]} }}"
    return one if len(lines) == 1 and "\n" not in one and len(indent) + len(one) <= WIDTH else None


def _body(body: Sequence[Body], indent: str) -> list[str]:
    lines: list[str] = []
    for node in _joined(body):
        if node.comments.gap and lines:
            lines.append("")
        bare = replace(node, comments=replace(node.comments, below=())) if node.comments.below else node
        lines += _statement(bare, indent)
        lines += [indent + comment_line(text) for text in node.comments.below]
    return lines


def _joined(body: Sequence[Body]) -> list[Body]:
    """Neighbouring weights of the same type on one line."""
    found: list[Body] = []
    for node in body:
        last = found[-1] if found else None
        if isinstance(node, Declare) and isinstance(last, Declare) and _can_join(last, node):
            comments = Comments(last.comments.before, node.comments.after, node.comments.below, last.comments.gap)
            names = last.names + node.names
            found[-1] = Declare(last.span, last.kind, names, last.type, last.initial, comments=comments)
        else:
            found.append(node)
    return found


def _can_join(first: Declare, second: Declare) -> bool:
    alike = (first.kind, first.type, first.initial) == (second.kind, second.type, second.initial)
    apart = first.comments.after or first.comments.below or second.comments.before or second.comments.gap
    return alike and not apart


def _statement(node: Body, indent: str) -> list[str]:
    match node:
        case Assign():
            head = f"{', '.join(name.text for name in node.targets)} = "
            return _valued(node, head, node.values, indent)
        case Result():
            return _valued(node, "", node.values, indent)
        case Declare():
            return _commented(node, _declare(node, indent), indent)
        case Repeat():
            head = f"repeat {', '.join(name.text for name in node.names)}{' in ' if node.names else ''}"
            head += laid_out(node.over, indent, len(indent) + len(head) + 2)
            return _with_body(node, head, node.body, indent)
        case If():
            return _if(node, indent)
        case Loss():
            return _commented(node, _named_text(node, indent), indent)
        case Assert():
            return _commented(node, f"assert {', '.join(flat(relation) for relation in node.relations)}", indent)
        case _:
            assert_never(node)


def _valued(node: Statement, head: str, values: tuple[Expression, ...] | Scan, indent: str) -> list[str]:
    if isinstance(values, Scan):
        return _with_body(node, head + _scan(values, indent, len(indent) + len(head)), values.body, indent)
    if len(values) == 1:
        return _commented(node, head + laid_out(values[0], indent, len(indent) + len(head)), indent)
    text = ", ".join(flat(value) for value in values)
    if len(indent) + len(head) + len(text) > WIDTH:
        text = ", ".join(laid_out(value, indent, len(indent) + len(head)) for value in values)
    return _commented(node, head + text, indent)


def _declare(node: Declare, indent: str) -> str:
    head = f"{node.kind} {', '.join(name.text for name in node.names)}: {type_text(node.type)}"
    if node.initial is None:
        return head
    return f"{head} = {laid_out(node.initial, indent, len(indent) + len(head) + 3)}"


def _scan(scan: Scan, indent: str, column: int) -> str:
    settings = arguments_text(scan.settings) if scan.settings else ""
    over = ", ".join(_over(item, " in ", indent, column) for item in scan.over)
    carried = ", ".join(_over(item, " = ", indent, column) for item in scan.carried)
    return f"scan{settings} {over}{' with ' if carried else ''}{carried}"


def _over(item: Over, word: str, indent: str, column: int) -> str:
    return f"{item.name.text}{word}{laid_out(item.value, indent, column)}"


def _if(node: If, indent: str) -> list[str]:
    head = f"if {laid_out(node.condition, indent, len(indent) + 5)}"
    if not node.otherwise:
        return _with_body(node, head, node.then, indent)
    first = _on_one_line(head, node.then, indent)
    chained = node.otherwise[0] if len(node.otherwise) == 1 else None
    if isinstance(chained, If) and not _has_comments(chained):
        rest = _if(chained, indent)
        second = f"else {rest[0].removeprefix(indent)}"
        return _else(node, head, first, [indent + second, *rest[1:]], indent)
    second_line = _on_one_line("else", node.otherwise, indent)
    if first is not None and second_line is not None:
        return [*_commented(node, first, indent), indent + second_line]
    lines = [f"{indent}else {{", *_body(node.otherwise, indent + STEP), f"{indent}}}"]
    return _else(node, head, None, lines, indent)


def _else(node: If, head: str, first: str | None, rest: list[str], indent: str) -> list[str]:
    """The two branches: `else` stands behind the `}` of a body that takes several lines."""
    if first is not None:
        return [*_commented(node, first, indent), *rest]
    lines = _around(node, head, _body(node.then, indent + STEP), indent)
    return [*lines[:-1], f"{lines[-1]} {rest[0].removeprefix(indent)}", *rest[1:]]
