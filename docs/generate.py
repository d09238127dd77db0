"""The code to the pages that list what is in it: `operations.md`, `errors.md`, `cli.md`, and to the plan that the
README shows; what was measured to its tables in `performance.md`.

python docs/generate.py            # write them
python docs/generate.py --check    # say whether they are what the code says; exit with 1 if not
"""

from __future__ import annotations

import ast
import dataclasses
import importlib
import os
import pkgutil
import re
import string
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import chdir
from itertools import groupby
from pathlib import Path
from typing import Any

import figures
import operation_table
from axonc.cli.main import COMMANDS, help_of
from axonc.compiler.ir.op import Op
from axonc.compiler.trace import initial, library, words
from axonc.compiler.training.optimizers import OPTIMIZERS
from axonc.compiler.training.schedules import SCHEDULES
from axonc.runtime.data.functions import FUNCTIONS
from axonc.spec import record as records
from axonc.spec.render import render
from axonc.spec.source import CompileError, Diagnostic
from axonc.specification import check
from operation_table import cell, first

HERE = Path(__file__).parent
ROOT = HERE.parent
API = ("program", "machines", "saving", "training", "generation", "exporting")
CODE = re.compile(r"[a-z]+(-[a-z0-9]+)+")
TESTS = ROOT / "tests"
BROKEN = sorted(path for path in (TESTS / "broken").rglob("*.*") if path.suffix in (".axon", ".yaml"))
SCREEN = re.compile(r"^(?:error|warning)\[([\w-]+)\]", re.MULTILINE)
WARNING = "<!-- Written by docs/generate.py from the code. Change the code, then run it. -->"
FAMILIES = {
    "basic": "Layers",
    "convolution": "Convolutions and pools",
    "pooling": "Convolutions and pools",
    "normalisation": "Normalisation",
    "recurrent": "Recurrent layers",
    "attention": "Attention",
    "random": "Random",
    "activation": "Activations",
    "activations": "Activations",
    "loss": "Losses",
    "losses": "Losses",
    "metric": "Metrics",
    "arithmetic": "Arithmetic of tensors",
    "reduction": "Along axes",
    "shape": "Shapes",
    "metrics": "Metrics",
    "positions": "Attention",
    "transformer": "Attention",
    "image": "Layers for images",
    "rearrangement": "Shapes",
    "rearrangements": "Shapes",
    "resizing": "Resizing",
    "sorting": "Order and positions",
    "merging": "Arithmetic of tensors",
    "number": "Numbers, dimensions and lists",
}
PARTS = {"chosen", "heads_apart", "seen_only"}  # blocks of the library that others are made of


def main() -> int:
    pages = {"operations.md": operations(), "errors.md": errors(), "cli.md": command_line(), "../README.md": readme()}
    pages["performance.md"] = figures.page((HERE / "performance.md").read_text(encoding="utf-8"))
    if "--check" not in sys.argv[1:]:
        for name, text in pages.items():
            (HERE / name).write_text(text, encoding="utf-8")
        return 0
    stale = [name for name, text in pages.items() if not _is(HERE / name, text)]
    for name in stale:
        print(
            f"{(HERE / name).resolve().relative_to(ROOT)} is not what the code says; run `python docs/generate.py`",
            file=sys.stderr,
        )
    return 1 if stale else 0


def _is(path: Path, text: str) -> bool:
    return path.exists() and path.read_text(encoding="utf-8") == text


# Words and operations


def operations() -> str:
    """The page of everything that has a name in the language, and of the operations that it comes to."""
    lines = [
        "# Words and operations",
        WARNING,
        "",
        "The words of the language, by family. Inputs stand before the `;`, settings after it, with their defaults;",
        "`…` takes any number. How they are called is in [language.md](language.md#calls).",
    ]
    for family, rows in _families().items():
        lines += ["", f"## {family}", "", *_table("word", "what it is", sorted(rows))]
    lines += ["", "## Optimizers", "", *_table("optimizer", "what it does", _classes(OPTIMIZERS))]
    lines += ["", "## Schedules", "", *_table("schedule", "the factor of the rate", _classes(SCHEDULES))]
    lines += ["", "## Initialisers", "", *_initialisers()]
    lines += ["", "## Functions of `data`", "", *_table("function", "what it does", _classes(FUNCTIONS))]
    lines += ["", "## Operations of the graph", "", *operation_table.lines()]
    return "\n".join(lines) + "\n"


def _families() -> dict[str, list[tuple[str, str]]]:
    found: dict[str, list[tuple[str, str]]] = {title: [] for title in FAMILIES.values()}
    for name in words.names():
        word = words.find(name)
        assert word is not None
        _family(found, word.build.__module__.rsplit(".", 1)[-1]).append(
            (f"{name}{_signature(word.signature)}", first(word.build) or _of_operation(name))
        )
    for path in sorted(library.FOLDER.glob("*.axon")):
        comments = {name: comment for name, comment, _ in _blocks(path)}
        whole = next(iter(comments.values())) if next(iter(comments)) in PARTS else ""
        for name, comment, formula in _blocks(path):
            block = library.library_block(name)
            assert block is not None
            if name not in PARTS and not name.endswith("_pass"):
                text = " ".join(filter(None, (comment, formula))) or comments.get(f"{name}_pass") or whole
                _family(found, path.stem).append((f"{name}{_signature(block.signature)}", text))
    return {title: rows for title, rows in found.items() if rows}


def _family(found: dict[str, list[tuple[str, str]]], module: str) -> list[tuple[str, str]]:
    """The rows of the family that a file of the library belongs to; a new file is a family of its own."""
    return found.setdefault(FAMILIES.get(module, module.capitalize()), [])


def _of_operation(name: str) -> str:
    """What the operation that a word is called after does."""
    kind = Op.words.get(name) or Op.words.get(f"reduce_{name}") or Op.words.get(name.removesuffix("2d"))
    return first(kind) if kind else ""


def _blocks(path: Path) -> Iterator[tuple[str, str, str]]:
    """Each block of a library file: its name, the comment above it, and its formula where it has but one line."""
    comment: list[str] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("# "):
            comment.append(line[2:])
        elif match := re.match(r"block (\w+).*?\) \{ ?(.*?)( \})?$", line):
            yield match[1], " ".join(comment), f"`{match[2]}`." if match[3] else ""
            comment = []
        else:
            comment = []


def _signature(signature: Any) -> str:
    inputs, settings = (", ".join(map(_slot, slots)) for slots in (signature.inputs, signature.settings))
    return f"({inputs}; {settings})" if settings else f"({inputs})"


def _slot(slot: Any) -> str:
    if slot.many:
        return f"{slot.name}…"
    return slot.name if slot.required else f"{slot.name} = {_value(slot.default)}"


def _value(value: Any) -> str:
    match value:
        case bool() | None:
            return {True: "true", False: "false", None: "none"}[value]
        case str() | int() | float() | tuple():
            return str(value)
        case _:
            return str(getattr(getattr(value, "span", None), "text", value))


def _classes(table: Any) -> list[tuple[str, str]]:
    """Words that stand for classes: their fields are the arguments."""
    return [(f"{name}({', '.join(map(_field, _fields(kind)))})", first(kind)) for name, kind in sorted(table.items())]


def _fields(kind: Any) -> list[Any]:
    found = records.fields(kind).values() if issubclass(kind, records.Record) else dataclasses.fields(kind)
    return [field for field in found if field.init and field.name != "place"]


def _field(field: Any) -> str:
    return field.name if field.default is dataclasses.MISSING else f"{field.name} = {_value(field.default)}"


def _initialisers() -> Iterator[str]:
    for name, numbers in initial.WORDS.items():
        inside = ", ".join(n if default is None else f"{n} = {default}" for n, default in numbers)
        yield f"- `{name}({inside})`" if inside else f"- `{name}`"


def _table(left: str, right: str, rows: list[tuple[str, str]]) -> Iterator[str]:
    yield f"| {left} | {right} |"
    yield "|---|---|"
    for name, text in rows:
        yield f"| `{name}` | {cell(text)} |"


# Errors


def errors() -> str:
    """The page of all codes: mistakes in specs with a screen of each where a test holds one, then those in data."""
    import_all()
    kinds = sorted(_kinds(Diagnostic), key=lambda kind: kind.code)
    lines = [
        "# Errors",
        WARNING,
        "",
        "Each mistake has a code that stays. `…` stands for what is found in your file; a screen is shown as",
        "`axonc check` prints it.",
        "",
        "## In specs",
    ]
    screens = _screens()
    for code, group in groupby(kinds, key=lambda kind: kind.code):
        described = " Or: ".join(filter(None, map(_described, group)))
        lines += ["", f"### {code}", *(["", described] if described else [])]
        if code in screens:
            lines += ["", "```", screens[code], "```"]
    lines += ["", "## In data, arrays and files", ""]
    lines += _table("code", "what is wrong", sorted(_runtime_codes()))
    return "\n".join(lines) + "\n"


def import_all() -> None:
    """Imports every module, so that every class exists."""
    for module in pkgutil.walk_packages([str(ROOT)], "axonc."):
        if module.name.split(".")[1] in ("spec", "compiler", "runtime", "cli", "recipes"):
            importlib.import_module(module.name)


def _kinds(kind: Any) -> Iterator[Any]:
    for sub in kind.__subclasses__():
        if "code" in vars(sub) and sub.__module__.startswith("axonc."):
            yield sub
        yield from _kinds(sub)


def _described(kind: Any) -> str:
    """What the mistake is, and what helps; empty where both are known only when it is made."""
    title, advice = _template(kind.title), _template(kind.help)
    parts = [f"{title}." if title != "…" else "", f"Help: {advice}." if advice not in ("", "…") else ""]
    return " ".join(filter(None, parts))


def _template(text: str) -> str:
    """A text with `…` for its fields, as prose: no final full stop."""
    parts = string.Formatter().parse(text)
    return "".join(literal + ("" if field is None else "…") for literal, field, *_ in parts).rstrip(".")


def _screens() -> dict[str, str]:
    """For each code the shortest screen of one mistake: of the golden files, else of the specs with mistakes."""
    golden = [p.read_text(encoding="utf-8").strip("\n") for p in sorted(TESTS.rglob("golden/*.txt"))]
    single = [text for text in golden if len(SCREEN.findall(text)) == 1 and SCREEN.match(text)]
    return _shortest(screen for path in BROKEN for screen in _mistakes(path)) | _shortest(single)


def _mistakes(path: Path) -> Iterator[str]:
    """The screens of the mistakes in a spec, without the comments that announce them to a test."""
    with chdir(path.parent):
        try:
            check(path.name)
        except CompileError as error:
            for diagnostic in error.diagnostics:
                yield re.sub(r" *# error.*", "", render(diagnostic)).strip("\n")


def _shortest(screens: Iterable[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for screen in screens:
        match = SCREEN.match(screen)
        assert match is not None
        found[match[1]] = min(found.get(match[1], screen), screen, key=lambda text: (len(text), text))
    return found


def _runtime_codes() -> list[tuple[str, str]]:
    """The codes of errors that are made where they are found: the first argument of a call, and the text after it."""
    found: dict[str, str] = {}
    for path in [*sorted((ROOT / "runtime").rglob("*.py")), *(ROOT / f"{name}.py" for name in API)]:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            match node:
                case ast.Call(args=[ast.Constant(value=str(code)), *rest]) if re.fullmatch(
                    r"[a-z]+(-[a-z0-9]+)+", code
                ):
                    text = next(filter(None, (_text(a, tree) for a in rest)), "")
                    found[code] = found.get(code) or text
    return list(found.items())


def _text(node: ast.AST, tree: ast.AST) -> str:
    """A text in the source, with `…` for what is put into it; of a name, what was last given to it."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=values):
            return "".join(str(v.value) if isinstance(v, ast.Constant) else "…" for v in values)
        case ast.Name(id=name, lineno=line):
            above = [
                n
                for n in ast.walk(tree)
                if isinstance(n, ast.Assign)
                and n.lineno < line < n.lineno + 8
                and [t.id for t in n.targets if isinstance(t, ast.Name)] == [name]
            ]
            return _text(max(above, key=lambda n: n.lineno).value, tree) if above else ""
        case _:
            return ""


# The command line


def command_line() -> str:
    """The page of the commands: what each says of itself."""
    lines = [
        "# The command line",
        WARNING,
        "",
        "Messages about mistakes go to standard error, results to standard output. Colour is for terminals only, and",
        "not where `NO_COLOR` is set. With `--json` everything on standard output is one JSON value, mistakes too:",
        "`ok` says whether all is well; the mistakes of a spec are in `diagnostics`, with lines and columns from 1 and",
        "ends exclusive; what is wrong with data or files is `error`.",
        "",
        "```",
        help_of(),
        "```",
    ]
    for name in COMMANDS:
        lines += ["", f"## axonc {name}", "", "```", help_of(name), "```"]
    return "\n".join(lines) + "\n"


# The README


def readme() -> str:
    """The README with the plan that it shows as the command prints it now: up to the loss, and the last line."""
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    command = "axonc plan examples/digits/mlp.yaml"
    lines = _printed(*command.split()[1:]).splitlines()
    loss = next(i for i, line in enumerate(lines) if " loss: " in line)
    shown = "\n".join((f"$ {command}", *lines[: loss - 1], "…", lines[-1]))
    return re.sub(rf"(?<=```\n)\$ {re.escape(command)}\n.*?(?=\n```)", lambda _: shown, page, flags=re.DOTALL)


def _printed(*arguments: str) -> str:
    """What a command prints in a terminal of 118 columns, without blanks at the ends of lines."""
    done = subprocess.run(  # noqa: S603 - our own command, with arguments of this file
        [sys.executable, "-m", "axonc", *arguments],
        cwd=ROOT,
        env=os.environ | {"COLUMNS": "118"},
        capture_output=True,
        text=True,
        check=True,
    )
    return re.sub(r" +$", "", done.stdout, flags=re.MULTILINE).strip("\n")


if __name__ == "__main__":
    sys.exit(main())
