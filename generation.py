"""A program to what writes with it: the steps of its `generate` section as machines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .backends import NUMPY
from .compiler.generation.growth import Growth
from .compiler.ir import dims
from .compiler.ir.evaluate import read_shape
from .compiler.ir.graph import DATA, STATE
from .compiler.pipeline import Target, compile_graph
from .runtime.errors import InputError
from .runtime.generation.request import KEYS, Request, Settings, texts
from .runtime.generation.request import Prompt as Prompt
from .runtime.generation.stepper import Stepper
from .runtime.generation.vocabulary import Vocabulary, vocabulary
from .runtime.generation.writing import Written
from .runtime.machine import Machine, check_array
from .runtime.native.errors import NotNative
from .specification import Specification

if TYPE_CHECKING:
    from .program import Program

ROWS = 64  # of one step at most, but for a beam that is wider
CHUNK = 32  # positions of a long prompt that are read together
KEPT = 4  # steppers of a program, each with caches of its own


def generate(
    program: Program,
    prompts: Sequence[Prompt],
    inputs: Mapping[str, np.ndarray],
    words: Vocabulary | None,
    *,
    count: int = 1,
    seed: int | None = None,
    **asked: float | None,
) -> list[Written]:
    """The texts that are asked for, as `Program.generate`. Raises InputError."""
    request = Request.of(prompts, inputs, count, program.seed if seed is None else seed, asked)
    settings = settings_of(growth_of(program.specification))
    most = max(ROWS, int(asked.get("beam") or settings.beam or 1))
    return texts(request, settings, words, lambda inputs, rows, limit: stepper(program, inputs, min(rows, most), limit))


def growth_of(specification: Specification) -> Growth:
    """How the model writes. Raises InputError where its spec does not say."""
    if specification.growth is None:
        advice = "add a line such as `generate tokens from logits { limit 200 }`"
        raise InputError("no-generation", "the spec does not say how it writes", advice)
    return specification.growth


def settings_of(growth: Growth) -> Settings:
    """What the section says, for the runtime."""
    return Settings(**{key: getattr(growth.section, key) for key in ("start", "stop", *KEYS)})


def vocabulary_of(program: Program) -> Vocabulary | None:
    """What the data that a program was trained on make of the texts of what grows."""
    section, data = program.specification.generation, program.data
    return vocabulary(data.recipe, data.learned, section.input) if section and data else None


def stepper(program: Program, inputs: Mapping[str, np.ndarray], rows: int, limit: int) -> Stepper:
    """What computes the scores of at most so many rows position by position, for texts of at most `limit` tokens.

    `inputs` are those that do not grow. A program keeps the last few that it made.
    """
    growth = growth_of(program.specification)
    sizes = _sizes(growth, inputs)
    rows = 1 << (rows - 1).bit_length()  # so that few different ones are made
    key = (rows, limit, *sorted(sizes.items()))
    known = program.steppers.get(key)
    if known is None:
        if len(program.steppers) >= KEPT:
            program.steppers.clear()
        try:
            known = _stepper(program, growth, sizes, rows, limit)
        except NotNative as reason:
            program.fall_back(reason)
            known = _stepper(program, growth, sizes, rows, limit)
        program.steppers[key] = known
    return known


def _stepper(program: Program, growth: Growth, sizes: Mapping[str, int], rows: int, limit: int) -> Stepper:
    backend, memory = program.backend, program.memory()
    facts = step_plans(growth, sizes, rows, limit, backend.target)
    begin, step = (backend.machine(facts.pop(name), memory) for name in ("begin", "step"))

    def read() -> Machine:
        graph, bound = growth.steps(CHUNK).step, {**sizes, **_length(growth, limit)}
        return backend.machine(compile_graph(graph, rows=rows, sizes=bound, target=backend.target), memory)

    several = (CHUNK, read) if facts["limit"] > CHUNK else None
    return Stepper(begin, step, memory, several=several, seed=program.seed, **facts)


def step_plans(
    growth: Growth, sizes: Mapping[str, int], rows: int, limit: int, target: Target = NUMPY.target
) -> dict[str, Any]:
    """The plans of a stepper, and what it must know of them. `sizes` are those of the inputs that do not grow."""
    grown = growth.section.input
    if growth.length is None:
        size = dims.substitute(growth.graph.input(grown).shape[1], sizes)
        if not isinstance(size, int):
            raise InputError("unbound-size", f"the length of `{grown}` has no number", "give it in `sizes`")
        limit = min(limit, size + 1)
    sizes = {**sizes, **_length(growth, limit)}
    steps = growth.steps()
    states = steps.step.named_inputs(STATE)
    moving = {}
    for name, axis in steps.moving.items():
        outer = dims.substitute(dims.product(states[name].shape[:axis]), sizes)
        assert isinstance(outer, int), outer
        moving[name] = outer
    begin, step = (compile_graph(graph, rows=rows, sizes=sizes, target=target) for graph in (steps.begin, steps.step))
    return {"begin": begin, "step": step, "rows": rows, "limit": limit, "grown": grown, "moving": moving}


def _length(growth: Growth, limit: int) -> dict[str, int]:
    """The length of what grows, where it is free: the last token of a text is never read."""
    return {} if growth.length is None else {growth.length: max(limit - 1, 1)}


def _sizes(growth: Growth, inputs: Mapping[str, np.ndarray]) -> dict[str, int]:
    """The numbers of free sizes, from the inputs that do not grow. Raises InputError for one that is missing."""
    wanted = {name: node for name, node in growth.graph.named_inputs(DATA).items() if name != growth.section.input}
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
    for name, node in wanted.items():
        bound = [dims.substitute(s, sizes) for s in node.shape[1:]]
        if bound != list(inputs[name].shape[1:]):
            problem = f"input `{name}` must be {node.type}, found an array of shape {list(inputs[name].shape)}"
            raise InputError("wrong-shape", problem, f"its sizes are those of the other inputs: {bound}")
    return sizes
