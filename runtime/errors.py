"""What may go wrong with files and numbers while a model runs, as errors with a stable code and an exact place."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar


class Mistake(Exception):
    """Something that the user can mend.

    `code` is stable; `problem` says what was found and what was expected, `help` what to do about it, if anything
    sensible is known. `exit_code` is what the command line returns.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, code: str, problem: str, help: str = "") -> None:
        self.code = code
        self.problem = problem
        self.help = help

    @property
    def where(self) -> str:
        """The place, as text; empty if there is none."""
        return ""

    def __str__(self) -> str:
        text = f"{self.where}: {self.problem}" if self.where else self.problem
        return f"{text}; {self.help}" if self.help else text


class DataError(Mistake):
    """Data at fault: `file`, and where known `row` and `column`.

    `unit` says how rows are counted: `line` of a text file from 1, its line of names included, or `row` of an array
    from 0.
    """

    exit_code: ClassVar[int] = 3

    def __init__(
        self,
        code: str,
        problem: str,
        help: str = "",
        *,
        file: str,
        row: int | None = None,
        column: str | None = None,
        unit: str = "line",
    ) -> None:
        super().__init__(code, problem, help)
        self.file = file
        self.row = row
        self.column = column
        self.unit = unit

    @property
    def where(self) -> str:
        row = "" if self.row is None else f", {self.unit} {self.row}"
        column = "" if self.column is None else f", column {quoted(self.column)}"
        return f"{printable(self.file)}{row}{column}"


class InputError(Mistake):
    """Arrays given to a model that are not what it takes."""

    exit_code: ClassVar[int] = 3


class OutOfMemory(Mistake):
    """Arrays that this machine has no room for."""

    exit_code: ClassVar[int] = 3

    @classmethod
    def of(cls, what: str, size: int) -> OutOfMemory:
        problem = f"there is no room for {what}: {size / 1e9:,.1f} GB are needed"
        return cls("out-of-memory", problem, "make the model or the batch smaller; `axonc plan` shows what needs most")


class FileError(Mistake):
    """A file that cannot be read or written as what it should be."""

    exit_code: ClassVar[int] = 3

    def __init__(self, code: str, problem: str, help: str = "", *, path: Path) -> None:
        super().__init__(code, problem, help)
        self.path = path

    @property
    def where(self) -> str:
        return printable(str(self.path))


class Diverged(Mistake):
    """Training whose loss `name` is no longer a finite number at `step` of `epoch`, both from 1."""

    exit_code: ClassVar[int] = 4

    def __init__(self, *, epoch: int, step: int, name: str, loss: float) -> None:
        problem = f"training diverged: {quoted(name)} is {loss}, expected a finite number"
        advice = "lower the learning rate, clip the gradients, or normalise the inputs"
        super().__init__("diverged", problem, advice)
        self.epoch = epoch
        self.step = step
        self.name = name
        self.loss = loss

    @property
    def where(self) -> str:
        return f"epoch {self.epoch}, step {self.step}"


def printable(text: str) -> str:
    """`text` without characters that could command a terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def quoted(text: str, longest: int = 40) -> str:
    """A value from a file as it may stand in a message: in backquotes, cut to `longest` characters, one line."""
    return f"`{printable(text[:longest])}{'…' if len(text) > longest else ''}`"


def suggestion(wrong: str, known: Iterable[str]) -> str:
    """`did you mean ...?` if one of `known` is close to `wrong`, else what there is."""
    import difflib  # only a mistake needs it

    names = tuple(known)
    close = difflib.get_close_matches(wrong, names, n=1)
    if close:
        return f"did you mean {quoted(close[0])}?"
    shown = ", ".join(quoted(name) for name in names[:8])
    return f"there is {shown}{', …' if len(names) > 8 else ''}" if names else ""
