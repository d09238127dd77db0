"""What may go wrong with files and numbers while a model runs, as errors with a stable code and an exact place."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar


@dataclass(eq=False)
class Mistake(Exception):
    """Something that the user can mend.

    `code` is stable; `problem` says what was found and what was expected, `help` what to do about it, if anything
    sensible is known. `exit_code` is what the command line returns.
    """

    code: str
    problem: str
    help: str = ""
    exit_code: ClassVar[int] = 1

    @property
    def where(self) -> str:
        """The place, as text; empty if there is none."""
        return ""

    def __str__(self) -> str:
        text = f"{self.where}: {self.problem}" if self.where else self.problem
        return f"{text}; {self.help}" if self.help else text


@dataclass(eq=False)
class DataError(Mistake):
    """Data at fault: `file`, and where known `row` and `column`.

    `unit` says how rows are counted: `line` of a text file from 1, its line of names included, or `row` of an array
    from 0.
    """

    file: str = field(kw_only=True)
    row: int | None = field(default=None, kw_only=True)
    column: str | None = field(default=None, kw_only=True)
    unit: str = field(default="line", kw_only=True)
    exit_code: ClassVar[int] = 3

    @property
    def where(self) -> str:
        row = "" if self.row is None else f", {self.unit} {self.row}"
        column = "" if self.column is None else f", column {quoted(self.column)}"
        return f"{printable(self.file)}{row}{column}"


@dataclass(eq=False)
class InputError(Mistake):
    """Arrays given to a model that are not what it takes."""

    exit_code: ClassVar[int] = 3


@dataclass(eq=False)
class OutOfMemory(Mistake):
    """Arrays that this machine has no room for."""

    exit_code: ClassVar[int] = 3

    @classmethod
    def of(cls, what: str, size: int) -> OutOfMemory:
        problem = f"there is no room for {what}: {size / 1e9:,.1f} GB are needed"
        return cls("out-of-memory", problem, "make the model or the batch smaller; `axonc plan` shows what needs most")


@dataclass(eq=False)
class FileError(Mistake):
    """A file that cannot be read or written as what it should be."""

    path: Path = field(kw_only=True)
    exit_code: ClassVar[int] = 3

    @property
    def where(self) -> str:
        return printable(str(self.path))


@dataclass(eq=False)
class Diverged(Mistake):
    """Training whose loss `name` is no longer a finite number at `step` of `epoch`, both from 1."""

    epoch: int = field(kw_only=True)
    step: int = field(kw_only=True)
    name: str = field(kw_only=True)
    loss: float = field(kw_only=True)
    exit_code: ClassVar[int] = 4

    @classmethod
    def at(cls, *, epoch: int, step: int, name: str, loss: float) -> Diverged:
        problem = f"training diverged: {quoted(name)} is {loss}, expected a finite number"
        advice = "lower the learning rate, clip the gradients, or normalise the inputs"
        return cls("diverged", problem, advice, epoch=epoch, step=step, name=name, loss=loss)

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
