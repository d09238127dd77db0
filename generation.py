"""A program to what writes with it: the steps of its `generate` section as machines, and prompts as tokens."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from .compiler.generation.section import Generation
from .compiler.generation.steps import Steps
from .compiler.ir import dims
from .compiler.ir.evaluate import read_shape
from .compiler.ir.graph import DATA, STATE, Graph
from .compiler.phases import COUNT
from .compiler.pipeline import compile_graph
from .runtime.errors import InputError
from .runtime.generation.stepper import Stepper
from .runtime.generation.vocabulary import Vocabulary, vocabulary
from .runtime.generation.writing import Manner, Written, write
from .runtime.model import check_array
from .specification import Specification

if TYPE_CHECKING:
    from .program import Program

LIMIT = 200  # tokens of a text, where nobody says
KEPT = 4  # steppers of a program, each with caches of its own
Prompt: TypeAlias = "str | Sequence[int] | np.ndarray"


def section_of(specification: Specification) -> Generation:
    """The `generate` section. Raises InputError where there is none."""
    if specification.generation is None:
        advice = "add a line such as `generate tokens from logits { limit 200 }`"
        raise InputError("no-generation", "the spec does not say how it writes", advice)
    return specification.generation


def vocabulary_of(program: Program) -> Vocabulary | None:
    """What the data that a program was trained on make of the texts of what grows."""
    section, data = program.specification.generation, program.data
    return vocabulary(data.recipe, data.learned, section.input) if section and data else None


def manner_of(section: Generation, words: Vocabulary | None, asked: Mapping[str, Any], seed: int) -> Manner:
    """How tokens are chosen: as the section says, but for what the caller asks for. Raises InputError.

    What is asked of drawing puts the section's beam aside; `top_k` and `top_p` alone mean a temperature of 1.
    """
    given = {key: value for key, value in asked.items() if value is not None}
    drawing = given.keys() & {"temperature", "top_k", "top_p"}
    if drawing and given.get("beam"):
        problem = f"a beam search draws nothing, so `beam` and `{min(drawing)}` exclude each other"
        raise InputError("wrong-setting", problem, "leave one of them out")
    said = {key: getattr(section, key) for key in ("limit", "temperature", "top_k", "top_p", "beam")}
    chosen = {key: value for key, value in said.items() if value is not None} | given
    if drawing:
        chosen.pop("beam", None)
    for key, holds, expected in _BOUNDS:
        if key in chosen and not holds(chosen[key]):
            raise InputError("wrong-setting", f"`{key}` is {chosen[key]}, expected {expected}")
    if chosen.keys() & {"top_k", "top_p"}:
        chosen.setdefault("temperature", 1.0)
    tokens = {key: _token(key, getattr(section, key), words) for key in ("start", "stop")}
    return Manner(**{"limit": LIMIT, "seed": seed} | chosen | tokens)


_BOUNDS: tuple[tuple[str, Callable[[Any], bool], str], ...] = (
    ("limit", lambda n: n >= 1, "a whole number from 1"),
    ("temperature", lambda t: t >= 0, "a number from 0"),
    ("top_k", lambda n: n >= 1, "a whole number from 1"),
    ("top_p", lambda p: 0 <= p <= 1, "a share from 0 to 1"),
    ("beam", lambda n: n >= 1, "a whole number from 1"),
)


def _token(key: str, value: int | str | None, words: Vocabulary | None) -> int | None:
    if not isinstance(value, str):
        return value
    if words is None:
        problem = f"`{key}` is a text, and no data say which token it is"
        raise InputError("no-vocabulary", problem, "write the number of the token, or train on a `data` section")
    return words.token(key, value)


def generate(
    program: Program,
    prompts: Sequence[Prompt],
    inputs: Mapping[str, np.ndarray],
    words: Vocabulary | None,
    *,
    count: int = 1,
    seed: int | None = None,
    **asked: Any,
) -> list[Written]:
    """`count` texts for each sample: for each of `prompts`, or each row of `inputs`, or one. As `Program.generate`."""
    section = section_of(program.specification)
    manner = manner_of(section, words, asked, program.seed if seed is None else seed)
    arrays = {name: np.asarray(array) for name, array in inputs.items()}
    begun = _prompts(prompts, arrays, words)
    tokens = [row for row in begun for _ in range(count)]
    arrays = {name: np.repeat(array, count, axis=0) for name, array in arrays.items()}
    rows = len(tokens) * (manner.beam or 1)
    writer, most = stepper(program, arrays, rows, manner.limit)
    found = write(writer, arrays, tokens, replace(manner, limit=most))
    return found if words is None else [replace(w, text=_text(words, w)) for w in found]


def _text(words: Vocabulary, written: Written) -> str:
    return words.decode(np.concatenate([written.prompt, written.tokens]))


def _prompts(prompts: Sequence[Prompt], inputs: Mapping[str, np.ndarray], words: Vocabulary | None) -> list[np.ndarray]:
    """The tokens of each prompt: empty ones where only inputs are given. Raises InputError."""
    rows = {len(array) for array in inputs.values()} | ({len(prompts)} if prompts else set())
    if len(rows) > 1 or 0 in rows:
        found = ", ".join(f"{n} has {len(a)}" for n, a in inputs.items())
        problem = f"there must be a prompt for each row of the inputs: there are {len(prompts)} prompts, {found}"
        raise InputError("uneven-inputs", problem)
    if not prompts:
        return [np.zeros(0, np.int64)] * max(rows, default=1)
    if words is None and any(isinstance(p, str) for p in prompts):
        problem = "the prompt is a text, and no data say what its tokens are"
        raise InputError("no-vocabulary", problem, "give the numbers of tokens, or train on a `data` section")
    return [words.encode(p) if words and isinstance(p, str) else np.asarray(p) for p in prompts]


def stepper(program: Program, inputs: Mapping[str, np.ndarray], rows: int, limit: int) -> tuple[Stepper, int]:
    """What computes the scores of so many rows position by position, and how many tokens a text may have.

    `inputs` are those that do not grow. A program keeps the last few that it made.
    """
    growth = program.specification.growth
    assert growth is not None
    sizes = _sizes(growth.graph, growth.section.input, inputs) | {COUNT: rows}
    if growth.length is None:
        size = dims.substitute(growth.graph.input(growth.section.input).shape[1], sizes)
        assert isinstance(size, int), size
        limit = min(limit, size)
    else:
        sizes[growth.length] = limit
    key = (limit, *sorted(sizes.items()))
    known = program.steppers.get(key)
    if known is None:
        if len(program.steppers) >= KEPT:
            program.steppers.clear()
        known = program.steppers[key] = _machines(program, growth.steps, sizes, growth.section.input)
    return known, limit


def _machines(program: Program, steps: Steps, sizes: Mapping[str, int], grown: str) -> Stepper:
    begin, step = (compile_graph(g, sizes=sizes) for g in (steps.begin, steps.step))
    states = steps.step.named_inputs(STATE)
    moving = {}
    for name, axis in steps.moving.items():
        outer = dims.substitute(dims.product(states[name].shape[:axis]), sizes)
        assert isinstance(outer, int), outer
        moving[name] = outer
    memory = program.memory()
    return Stepper(begin, step, memory, rows=sizes[COUNT], grown=grown, moving=moving, seed=program.seed)


def _sizes(graph: Graph, grown: str, inputs: Mapping[str, np.ndarray]) -> dict[str, int]:
    """The numbers of free sizes, from the inputs that do not grow. Raises InputError for one that is missing."""
    wanted = {name: node for name, node in graph.named_inputs(DATA).items() if name != grown}
    unknown = next((name for name in inputs if name not in wanted), None)
    if unknown is not None:
        advice = f"its inputs are {', '.join(wanted)}" if wanted else "what grows begins with the prompt"
        raise InputError("unknown-input", f"writing needs no input `{unknown}`", advice)
    sizes: dict[str, int] = {}
    for name, node in wanted.items():
        if name not in inputs:
            raise InputError("missing-input", f"input `{name}` is missing", f"it is {node.type}")
        shape = tuple(s if isinstance(s, int) else None for s in node.shape[1:])
        check_array(name, inputs[name], str(node.dtype), shape)
        sizes |= read_shape(node.shape[1:], inputs[name].shape[1:])
    return sizes
