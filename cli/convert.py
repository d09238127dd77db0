"""`axonc convert`: a spec in one notation -> the same spec in the other."""

from __future__ import annotations

from pathlib import Path

import click

from .options import examples


@click.command(epilog=examples("axonc convert net.yaml net.axon", "axonc convert net.axon > net.yaml"))
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="[TO]", required=False)
@click.option("--force", is_flag=True, help="Replace a file that is there already.")
def command(source: str, target: str | None, force: bool) -> None:
    """Write a spec in the other notation.

    TO gets the notation that its suffix names: .axon for the language's own, .yaml or .yml for YAML. Without TO the
    text goes to standard output. Comments are kept, and nothing but the text is needed: no data, no included file.
    """
    from ..spec.load import guess_notation, open_source
    from ..spec.write import convert

    text = open_source(source)
    if target is None:
        other = "yaml" if guess_notation(text) == "axon" else "axon"
        click.echo(convert(text, other), nl=False)
        return
    notation = _notation(target)
    if Path(target).exists() and not force:
        raise click.UsageError(f"{target} is there already; --force replaces it")
    from ..runtime.files import replace

    replace(Path(target), [convert(text, notation).encode()])


def _notation(target: str) -> str:
    from ..spec.load import SUFFIXES

    suffix = Path(target).suffix.lower()
    if suffix not in SUFFIXES or suffix == ".json":
        raise click.BadParameter(f"the suffix of {target} says no notation; .axon, .yaml and .yml do", param_hint="TO")
    return SUFFIXES[suffix]
