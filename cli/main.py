"""The command line: finds the command, runs it, and turns whatever stops it into a message and an exit code."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn

import click

from ..spec.source import CompileError
from ..spec.suggest import nearest
from .failure import (
    INTERRUPTED,
    USAGE,
    WELL,
    report_internal,
    report_mistake,
    report_mistakes,
    report_unwritable,
    silence_output,
)
from .options import MACHINE, examples

COMMANDS = (
    "check",
    "plan",
    "train",
    "evaluate",
    "predict",
    "generate",
    "gradcheck",
    "bench",
    "export",
    "convert",
    "format",
)
EPILOG = (
    examples("axonc check net.axon", "axonc plan net.axon", "axonc train net.axon --set hidden=64")
    + "\n\n\b\nExit codes:\n"
    + "\n".join(
        (
            "  0    all is well",
            "  1    the spec is at fault",
            "  2    the command line is at fault",
            "  3    data, arrays or files are at fault",
            "  4    training diverged",
            "  5    this machine lacks what was asked for: a GPU, or memory on it",
            "  70   axonc itself failed",
            "  130  interrupted (Ctrl-C)",
        )
    )
)


class Commands(click.Group):
    """The commands, each of which lives in the module of its name and is loaded when it is asked for."""

    def list_commands(self, context: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        found = import_module(f".{name}", __package__).command
        assert isinstance(found, click.Command)
        return found

    def resolve_command(
        self, context: click.Context, arguments: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = arguments[0] if arguments else ""
        if name in COMMANDS or name.startswith("-"):
            return super().resolve_command(context, arguments)
        meant = nearest(name, COMMANDS)
        advice = f"did you mean {meant!r}?" if meant else f"there are {', '.join(COMMANDS)}"
        raise click.UsageError(f"there is no command {name!r}; {advice}", context)


def _show_version(context: click.Context, option: click.Parameter, asked: bool) -> None:
    if asked:
        from .. import __version__

        click.echo(f"axonc {__version__}")
        context.exit()


@click.command(cls=Commands, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_show_version, help="Show the version."
)
def commands() -> None:
    """Check, explain, train and run a neural network from one file that says what it is."""


def help_of(name: str = "") -> str:
    """What `axonc NAME --help` shows on a screen of 80 columns."""
    top = click.Context(commands, info_name="axonc", terminal_width=80, **commands.context_settings)
    if not name:
        return commands.get_help(top)
    command = commands.get_command(top, name)
    assert command is not None, name
    return command.get_help(click.Context(command, top, info_name=name, terminal_width=80))


def main() -> NoReturn:
    """Runs the command of this process and ends it. What nobody would read, since an output is closed, goes nowhere."""
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115 - as long as the process
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Runs one command line; the exit code. No exception leaves it but SystemExit from a signal."""
    try:
        code = _run(list(arguments))
        sys.stdout.flush()
    except BrokenPipeError:
        return silence_output()
    except OSError as error:
        silence_output()
        return report_unwritable(error)
    return code


def _show_note(message: Warning | str, *where: object, **more: object) -> None:
    """What Python users get as a warning, on stderr."""
    click.echo(f"note: {message}", err=True)


def _run(arguments: list[str]) -> int:
    meta: dict[str, object] = {}
    try:
        with commands.make_context("axonc", arguments) as context, warnings.catch_warnings():
            warnings.showwarning = _show_note
            meta = context.meta
            found = commands.invoke(context)
            return found if isinstance(found, int) else WELL
    except click.exceptions.Exit as end:
        return end.exit_code
    except (KeyboardInterrupt, click.Abort):
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except click.ClickException as error:
        error.show()
        return USAGE
    except CompileError as error:
        return report_mistakes(error, machine=bool(meta.get(MACHINE)))
    except BrokenPipeError:
        raise
    except OSError as error:
        return report_unwritable(error)
    except Exception as error:
        from ..runtime.errors import Mistake

        if isinstance(error, Mistake):
            return report_mistake(error, machine=bool(meta.get(MACHINE)))
        return report_internal(error)
