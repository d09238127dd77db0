"""What training reports step by step and epoch by epoch -> a bar and a table on a terminal, lines elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import click

from ..spec.render import escape
from .screen import duration, is_terminal

if TYPE_CHECKING:
    from ..program import Program
    from ..runtime.trainer import Epoch

WIDE = 12  # columns of a number in the table


class Silent:
    """Shows nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def step(self, epoch: int, step: int, losses: Mapping[str, float]) -> None:
        """Nothing is shown of a step."""

    def epoch(self, record: Epoch) -> None:
        """Nothing is shown of an epoch."""


class Lines(Silent):
    """A table that grows by a line for each epoch."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self._columns: tuple[str, ...] = ()

    def epoch(self, record: Epoch) -> None:
        """One more line; the first comes with the names of its columns."""
        values = _values(record)
        if not self._columns:
            self._columns = tuple(values)
            self.write(_row(["epoch", *self._columns, "time"]))
        numbers = [f"{values[name]:.4g}" if name in values else "" for name in self._columns]
        self.write(_row([str(record.epoch), *numbers, duration(record.seconds)]))

    def write(self, line: str) -> None:
        click.echo(line)


class Bar(Lines):
    """The table, and below it a bar with the loss of the last step, on a terminal's standard error."""

    def __init__(self, program: Program) -> None:
        super().__init__(program)
        self._progress: Any = None
        self._task: Any = None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._progress is not None:
            self._progress.stop()

    def step(self, epoch: int, step: int, losses: Mapping[str, float]) -> None:
        """Moves the bar on; the first step makes it, since only then it is known how many there are."""
        if self._progress is None:
            self._start()
        self._progress.update(self._task, completed=step, epoch=epoch, loss=losses["loss"])

    def write(self, line: str) -> None:
        """A line of the table, above the bar where both are on one terminal."""
        if self._progress is not None and is_terminal(sys.stdout):
            self._progress.console.print(line, markup=False, highlight=False, soft_wrap=True)
        else:
            super().write(line)

    def _start(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self._progress = Progress(
            TextColumn("epoch {task.fields[epoch]}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("loss {task.fields[loss]:.4g}"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            redirect_stdout=False,
            transient=True,
        )
        self._task = self._progress.add_task("", total=_steps(self.program), epoch=1, loss=float("nan"))
        self._progress.start()


def _values(record: Epoch) -> dict[str, float]:
    """The loss, its terms where there are several, and what the validation part gave."""
    alone = set(record.train) - {"loss"} if len(record.train) <= 2 else set()
    train = {name: value for name, value in record.train.items() if name not in alone}
    return train | {f"validation {name}": value for name, value in record.validation.items() if name not in alone}


def _row(cells: list[str]) -> str:
    first, *others = (escape(cell) for cell in cells)
    return f"{first:>5}" + "".join(f"  {cell:>{max(WIDE, len(cell))}}" for cell in others)


def _steps(program: Program) -> int:
    """How many steps training may take."""
    training = program.specification.training
    if training.steps:
        return training.steps
    assert program.data is not None
    per_epoch = -(-program.data.parts["train"].count // program.data.recipe.batch)
    return training.epochs * per_epoch
