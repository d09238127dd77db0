"""`axonc format`: spec files -> the same files in canonical form."""

from __future__ import annotations

from pathlib import Path

import click

from .options import examples


@click.command(epilog=examples("axonc format net.axon", "axonc format --check specs/*.yaml"))
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--check", "only_check", is_flag=True, help="Change nothing; exit with 1 if a file would change.")
def command(files: tuple[str, ...], only_check: bool) -> int:
    """Rewrite specs in canonical form.

    Each stays in its own notation and keeps its comments. Formatting what is formatted changes nothing. A file with
    mistakes is left as it is, and they are reported.
    """
    from ..spec.source import CompileError
    from .failure import SPEC, WELL, show

    codes = set()
    for file in files:
        try:
            codes.add(_format(file, only_check=only_check))
        except CompileError as error:
            show(error.diagnostics)
            codes.add(SPEC)
    return max(codes, default=WELL)


def _format(file: str, *, only_check: bool) -> int:
    """Rewrites one file where its form is another; the exit code."""
    from ..spec.load import open_source
    from ..spec.render import escape
    from ..spec.write import format_source
    from .failure import SPEC, WELL

    source = open_source(file)
    text = format_source(source)
    if text == source.text:
        return WELL
    if only_check:
        click.echo(escape(f"{file}: would be rewritten"))
        return SPEC
    from ..runtime.files import replace

    replace(Path(file), [text.encode()])
    click.echo(escape(f"{file}: rewritten"))
    return WELL
