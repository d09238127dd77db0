"""What stopped a command -> the message that a person or a tool reads, and the exit code."""

from __future__ import annotations

import math
import os
import sys
from typing import TYPE_CHECKING, Any

from ..spec.render import as_json, escape, render
from ..spec.source import CompileError, Diagnostic
from .screen import is_colourful

if TYPE_CHECKING:
    from ..runtime.errors import Mistake

WELL, SPEC, USAGE, DATA, DIVERGED, INTERNAL, INTERRUPTED, PIPE = 0, 1, 2, 3, 4, 70, 130, 141


def report_mistakes(error: CompileError, *, machine: bool) -> int:
    """Every mistake of a spec: screens on stderr, or one object on stdout."""
    if machine:
        print_json({"ok": False, "diagnostics": [as_json(d) for d in error.diagnostics]})
    else:
        show(error.diagnostics)
    return SPEC


def show(diagnostics: tuple[Diagnostic, ...]) -> None:
    """Diagnostics on stderr, a blank line after each."""
    colour = is_colourful(sys.stderr)
    for diagnostic in diagnostics:
        print(render(diagnostic, colour=colour), file=sys.stderr, end="\n\n")


def report_mistake(error: Mistake, *, machine: bool) -> int:
    """What is wrong with files or numbers, and its own exit code."""
    if machine:
        print_json({"ok": False, "error": mistake_as_json(error)})
        return error.exit_code
    where = f"{error.where}: " if error.where else ""
    complain(error.code, f"{where}{error.problem}", error.help)
    return error.exit_code


def mistake_as_json(error: Mistake) -> dict[str, Any]:
    """A mistake as plain data: code, message, help, and whatever it knows of its place."""
    facts = {n: v for n, v in vars(error).items() if n not in ("code", "problem", "help") and not n.startswith("_")}
    plain = {n: v if isinstance(v, int | str) or v is None else str(v) for n, v in facts.items()}
    return {"code": error.code, "message": error.problem, "help": error.help, "where": error.where, **plain}


def complain(code: str, text: str, help: str = "") -> None:
    """An error without a place in a spec, on stderr."""
    red, bold, green, plain = ("\x1b[1;31m", "\x1b[1m", "\x1b[32m", "\x1b[0m") if is_colourful(sys.stderr) else [""] * 4
    print(f"{red}error[{code}]{plain}{bold}: {escape(text)}{plain}", file=sys.stderr)
    if help:
        print(f"  = {green}help{plain}: {escape(help)}", file=sys.stderr)


def report_unwritable(error: OSError) -> int:
    """A file or an output that the system refuses."""
    where = f"{error.filename}: " if error.filename else ""
    complain("cannot-write", f"{where}{(error.strerror or str(error)).lower()}", "look at the disk and its permissions")
    return DATA


def report_internal(error: BaseException) -> int:
    """One sentence that asks for a report, the traceback in a file of its own."""
    import tempfile
    import traceback

    handle, path = tempfile.mkstemp(prefix="axonc-failure-", suffix=".txt")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(f"arguments: {sys.argv[1:]!r}\n\n")
        traceback.print_exception(error, file=file)
    kind = type(error).__name__
    complain("internal", f"axonc itself failed ({kind}); please report it, together with the file {path}")
    return INTERNAL


def silence_output() -> int:
    """The reader of our output is gone: what is still buffered goes nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return PIPE


def print_json(value: Any) -> None:
    """One JSON value on stdout; control characters of texts are escaped by JSON itself."""
    import json

    print(json.dumps(value, indent=2, ensure_ascii=not _is_unicode(), allow_nan=False))


def _is_unicode() -> bool:
    return (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"


def finite(value: Any) -> Any:
    """Plain data with null for every number that is not finite, which JSON cannot say."""
    if isinstance(value, dict):
        return {name: finite(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
