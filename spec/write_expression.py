"""Expressions -> text with the fewest parentheses, on one line or laid out over several."""

from __future__ import annotations

from typing import assert_never

from .tree import (
    Argument,
    Binary,
    Call,
    Choice,
    Expression,
    Index,
    ListOf,
    Member,
    Name,
    Number,
    Pipe,
    Rest,
    Slice,
    Text,
    Type,
    Unary,
)

WIDTH = 100
STEP = "  "
PIPE, CHOICE, OR, AND, NOT, COMPARISON, SUM, PRODUCT, SIGN, POWER, POSTFIX = range(11)
_LEVELS = {"or": OR, "and": AND, "**": POWER}
_LEVELS |= dict.fromkeys(("==", "!=", "<=", ">=", "<", ">"), COMPARISON)
_LEVELS |= dict.fromkeys(("+", "-"), SUM)
_LEVELS |= dict.fromkeys(("*", "/", "//", "%", "@"), PRODUCT)


def flat(e: Expression, level: int = PIPE, quote: str = '"') -> str:
    """On one line; in parentheses where it binds more loosely than its surroundings do. Texts prefer `quote`."""
    text = _flat(e, quote)
    return f"({text})" if level_of(e) < level else text


def level_of(e: Expression) -> int:
    match e:
        case Pipe():
            return PIPE
        case Choice():
            return CHOICE
        case Binary():
            return _LEVELS[e.operator]
        case Unary():
            return NOT if e.operator == "not" else SIGN
        case _:
            return POSTFIX


def sides(e: Binary) -> tuple[int, int]:
    """The levels that the operands of an operator stand at."""
    level = _LEVELS[e.operator]
    if level == COMPARISON:
        return SUM, SUM
    if level == POWER:
        return POSTFIX, SIGN
    return level, level + 1


def _flat(e: Expression, quote: str) -> str:
    match e:
        case Name():
            return e.text
        case Number():
            return number_text(e)
        case Text():
            return text_text(e.value, quote)
        case ListOf():
            return f"[{', '.join(flat(item, PIPE, quote) for item in e.items)}]"
        case Call():
            return flat(e.function, POSTFIX, quote) + arguments_text(e.arguments, quote)
        case Index():
            indices = ", ".join(index_text(i, quote) for i in e.indices)
            return f"{flat(e.value, POSTFIX, quote)}[{indices}]"
        case Member():
            return f"{flat(e.value, POSTFIX, quote)}.{e.name.text}"
        case Unary():
            word = "not " if e.operator == "not" else e.operator
            return word + flat(e.value, level_of(e), quote)
        case Binary():
            left, right = sides(e)
            return f"{flat(e.left, left, quote)} {e.operator} {flat(e.right, right, quote)}"
        case Choice():
            yes, condition, no = flat(e.yes, OR, quote), flat(e.condition, OR, quote), flat(e.no, CHOICE, quote)
            return f"{yes} if {condition} else {no}"
        case Pipe():
            return f"{flat(e.value, PIPE, quote)} |> {flat(e.step, POSTFIX, quote)}"
        case _:
            assert_never(e)


def number_text(number: Number) -> str:
    return number.text or repr(number.value)


def text_text(value: str, quote: str = '"') -> str:
    """A text in quotes, in the other kind where it holds the one that is preferred."""
    assert not ('"' in value and "'" in value)
    quote = quote if quote not in value else "'\""[quote == "'"]
    return f"{quote}{value}{quote}"


def arguments_text(found: tuple[Argument, ...], quote: str = '"') -> str:
    return f"({', '.join(argument_text(argument, quote) for argument in found)})"


def argument_text(argument: Argument, quote: str = '"') -> str:
    value = flat(argument.value, PIPE, quote)
    return f"{argument.name.text} = {value}" if argument.name else value


def index_text(index: Expression | Slice | Rest, quote: str) -> str:
    if isinstance(index, Rest):
        return "..."
    if not isinstance(index, Slice):
        return flat(index, PIPE, quote)
    start, stop, step = (flat(e, PIPE, quote) if e else "" for e in (index.start, index.stop, index.step))
    return f"{start}:{stop}" + (f":{step}" if index.step else "")


def type_text(declared: Type, quote: str = '"') -> str:
    sizes = ", ".join(flat(size, PIPE, quote) for size in declared.sizes)
    return f"{declared.dtype.text}[{sizes}]" if sizes else declared.dtype.text


# Over several lines


def laid_out(
    e: Expression, indent: str, column: int, level: int = PIPE, *, inside: bool = False, quote: str = '"'
) -> str:
    """As `flat` where that fits from `column` on, else broken; `inside` brackets lines may end anywhere."""
    text = flat(e, level, quote)
    if column + len(text) <= WIDTH:
        return text
    if level_of(e) < level:
        return _in_parentheses(e, indent, quote)
    match e:
        case Pipe():
            return _broken_pipe(e, indent, column, inside=inside, quote=quote)
        case ListOf() if e.items:
            return _filled(e, indent, quote)
        case Call() if e.arguments:
            return _broken_call(e, indent, column, quote)
        case Binary() | Choice() | Unary():
            return _broken_operands(e, indent, quote) if inside else _in_parentheses(e, indent, quote)
        case _:
            return text


def _in_parentheses(e: Expression, indent: str, quote: str) -> str:
    deeper = indent + STEP
    return f"(\n{deeper}{laid_out(e, deeper, len(deeper), inside=True, quote=quote)}\n{indent})"


def _broken_pipe(e: Pipe, indent: str, column: int, *, inside: bool, quote: str) -> str:
    """The value on the first line, each step on one of its own."""
    deeper = indent + STEP
    value, steps = pipe_parts(e)
    lines = [laid_out(value, indent, column, CHOICE, inside=inside, quote=quote)]
    lines += [f"{deeper}|> {laid_out(step, deeper, len(deeper) + 3, POSTFIX, quote=quote)}" for step in steps]
    return "\n".join(lines)


def pipe_parts(e: Expression) -> tuple[Expression, tuple[Expression, ...]]:
    """A chain of pipes as its first value and its steps."""
    steps: list[Expression] = []
    while isinstance(e, Pipe):
        steps.append(e.step)
        e = e.value
    return e, tuple(reversed(steps))


def _filled(e: ListOf, indent: str, quote: str) -> str:
    """As many items on each line as fit."""
    deeper = indent + STEP
    lines = [deeper]
    for item in e.items:
        text = laid_out(item, deeper, len(deeper), inside=True, quote=quote) + ","
        if lines[-1].strip() and len(lines[-1]) + 1 + len(text) > WIDTH:
            lines.append(deeper)
        lines[-1] += (" " if lines[-1].strip() else "") + text
    return "\n".join(["[", *lines, f"{indent}]"])


def _broken_call(e: Call, indent: str, column: int, quote: str) -> str:
    """One argument a line."""
    deeper = indent + STEP
    lines = [laid_out(e.function, indent, column, POSTFIX, quote=quote) + "("]
    for argument in e.arguments:
        label = f"{argument.name.text} = " if argument.name else ""
        value = laid_out(argument.value, deeper, len(deeper) + len(label), inside=True, quote=quote)
        lines.append(f"{deeper}{label}{value},")
    return "\n".join([*lines, f"{indent})"])


def _broken_operands(e: Binary | Choice | Unary, indent: str, quote: str) -> str:
    """Each operand on a line that begins with its operator."""

    def lay(part: Expression, level: int, word: str = "") -> str:
        return word + laid_out(part, indent, len(indent) + len(word), level, inside=True, quote=quote)

    match e:
        case Unary():
            return lay(e.value, level_of(e), "not " if e.operator == "not" else e.operator)
        case Binary():
            left, right = sides(e)
            return f"{lay(e.left, left)}\n{indent}{lay(e.right, right, e.operator + ' ')}"
        case Choice():
            rest = f"{indent}{lay(e.condition, OR, 'if ')}\n{indent}{lay(e.no, CHOICE, 'else ')}"
            return f"{lay(e.yes, OR)}\n{rest}"
        case _:
            assert_never(e)
