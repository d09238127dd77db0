"""`axonc generate`: a trained model and a prompt -> texts, as the spec's `generate` section says."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from .options import backend_options, chosen_backend, examples, machine_option

if TYPE_CHECKING:
    import numpy as np

    from ..backends import Backend
    from ..runtime.generation.writing import Written
    from ..spec.source import Diagnostic
    from .saved import Preparation

RULE = "-" * 40  # between texts of several lines


@click.command(
    epilog=examples(
        'axonc generate runs/letters-1 --prompt "Once upon"',
        "axonc generate runs/letters-1 --temperature 0.8 --top-k 40 --count 3",
        'axonc generate runs/dates-1 --input written="3 May 2021" --beam 4',
    )
)
@click.argument("run")
@click.option("--prompt", "prompts", multiple=True, metavar="TEXT", help="What a text begins with; several are well.")
@click.option(
    "--input", "sources", multiple=True, metavar="DATA", help="What does not grow: a file, or COLUMN=VALUE for each."
)
@click.option("--temperature", type=click.FloatRange(0), help="0 takes the likeliest token, 1 draws by the shares.")
@click.option("--top-k", type=click.IntRange(1), help="Draw from so many of the likeliest tokens.")
@click.option("--top-p", type=click.FloatRange(0, 1), help="Draw from the likeliest that have this share together.")
@click.option("--beam", type=click.IntRange(1), help="Search for the likeliest text among so many at a time.")
@click.option("--limit", type=click.IntRange(1), help="The most tokens of a text, those of its prompt included.")
@click.option("--seed", type=click.IntRange(0), help="Of the draws. Default: that of the training.")
@click.option(
    "--count", type=click.IntRange(1), default=1, help="So many texts for each prompt or row; the best of a beam."
)
@backend_options
@machine_option
def command(
    run: str,
    prompts: tuple[str, ...],
    sources: tuple[str, ...],
    backend: str | None,
    threads: int | None,
    machine: bool,
    count: int,
    **asked: Any,
) -> None:
    """Let a trained model write.

    RUN is the folder of a training of a spec with a `generate` section, or a model file; options take the place of its
    settings. Prompts and inputs are prepared as in training: a prompt is text where the data have text, else numbers of
    tokens.
    """
    from .failure import show
    from .saved import needs_folder

    chosen = chosen_backend(backend, threads)
    needs_folder(Path(run), chosen)
    writer = _file(Path(run)) if Path(run).is_file() else _folder(Path(run), chosen)
    begun = [prompt if writer.reads_text else _numbers(prompt) for prompt in prompts]
    found = writer.write(begun, _inputs(writer, sources) if sources else {}, count=count, **asked)
    if machine:
        _print_json(writer.name, found)
        return
    show(writer.warnings)
    texts = [_readable(written) for written in found]
    between = f"\n{RULE}\n" if any("\n" in text for text in texts) else "\n"
    click.echo(between.join(texts))


class Writer(NamedTuple):
    """What writes: the model of a folder, or of a file. `weights` is where its weights lie, `grown` what grows."""

    name: str
    weights: Path
    grown: str
    reads_text: bool
    write: Callable[..., list[Written]]
    warnings: tuple[Diagnostic, ...] = ()


def _file(path: Path) -> Writer:
    from ..runtime.model import load

    model = load(path)
    return Writer(model.facts["name"], path, model.grown, model.vocabulary is not None, model.generate)


def _folder(path: Path, backend: Backend | None) -> Writer:
    from ..generation import generate, growth_of
    from ..runtime.generation.vocabulary import vocabulary
    from .saved import preparation, trained, weights_file

    program, weights = trained(path, backend), weights_file(path)
    growth, prepared = growth_of(program.specification), preparation(weights)
    words = vocabulary(prepared.recipe, prepared.learned, growth.section.input)
    name, grown = program.specification.name, growth.section.input
    warnings = (growth.warning,) if growth.warning else ()
    return Writer(name, weights, grown, words is not None, partial(generate, program, words=words), warnings)


def _inputs(writer: Writer, sources: tuple[str, ...]) -> dict[str, np.ndarray]:
    """The inputs that do not grow, prepared as in training."""
    from ..runtime.data.inputs import read_inputs
    from .saved import preparation

    prepared = preparation(writer.weights)
    source = _source(prepared, sources, writer.grown)
    return read_inputs(prepared.recipe, prepared.learned, source, without=(writer.grown,))


def _numbers(prompt: str) -> list[int]:
    """A prompt of a model whose data are numbers."""
    try:
        return [int(number) for number in prompt.replace(",", " ").split()]
    except ValueError:
        problem = f"the data of this model have no text: expected numbers of tokens, found {prompt!r}"
        raise click.BadParameter(problem, param_hint="--prompt") from None


def _source(prepared: Preparation, sources: tuple[str, ...], grown: str) -> Path | dict[str, np.ndarray]:
    """One file, or one row of the columns that were given."""
    pairs = [source.partition("=") for source in sources]
    columns = _columns(prepared, grown)
    if len(sources) == 1 and (not pairs[0][1] or Path(sources[0]).exists()):
        return Path(sources[0])
    unknown = next((name for name, _, _ in pairs if name not in columns), None)
    if unknown is not None:
        known = f"there are {', '.join(columns)}" if columns else "this model reads none but what grows"
        problem = f"there is no column {unknown!r}; {known}"
        raise click.BadParameter(problem, param_hint="--input")
    return {name: _cell(name, value, columns[name]) for name, _, value in pairs}


def _columns(prepared: Preparation, grown: str) -> dict[str, str]:
    """The columns that the inputs come from but for the one that grows, each with what it holds: numbers or texts."""
    from ..runtime.data.functions import chain

    return {
        column: chain(binding.steps).takes
        for binding in prepared.recipe.bindings
        if not binding.target and binding.name != grown
        for column in prepared.learned[binding.name]["columns"]
    }


def _cell(name: str, value: str, kind: str) -> np.ndarray:
    import numpy as np

    if kind == "texts":
        return np.array([value])
    try:
        return np.array([float(value)])
    except ValueError:
        raise click.BadParameter(f"{name} is {value!r}, expected a number", param_hint="--input") from None


def _readable(written: Written) -> str:
    """A text without characters that could command a terminal, but for the ends of its lines; or the tokens."""
    from ..spec.render import escape

    if written.text is None:
        return " ".join(map(str, [*written.prompt, *written.tokens]))
    return "\n".join(escape(line) for line in written.text.split("\n"))


def _print_json(name: str, found: list[Written]) -> None:
    from .failure import print_json

    texts = [
        {
            "prompt": written.prompt.tolist(),
            "tokens": written.tokens.tolist(),
            "text": written.text,
            "score": written.score,
            "stopped": written.stopped,
        }
        for written in found
    ]
    print_json({"ok": True, "name": name, "texts": texts})
