"""What somebody asks of a model that writes, and what its spec says, to texts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeAlias

import numpy as np

from ..errors import InputError
from .vocabulary import Vocabulary
from .writing import Manner, Scorer, Written, write

Array = Any
Prompt: TypeAlias = "str | Sequence[int] | np.ndarray"
LIMIT = 200  # tokens of a text, where nobody says
KEYS = ("limit", "temperature", "top_k", "top_p", "beam")
BOUNDS: tuple[tuple[str, Callable[[Any], bool], str], ...] = (
    ("limit", lambda n: n >= 1, "a whole number from 1"),
    ("temperature", lambda t: t >= 0, "a number from 0"),
    ("top_k", lambda n: n >= 1, "a whole number from 1"),
    ("top_p", lambda p: 0 <= p <= 1, "a share from 0 to 1"),
    ("beam", lambda n: n >= 1, "a whole number from 1"),
)


@dataclass(frozen=True)
class Settings:
    """The `generate` section of a spec; None is what it does not say. A text names one token of the vocabulary."""

    start: int | str | None = None
    stop: int | str | None = None
    limit: int | None = None
    temperature: float | None = None
    top_k: int | None = None
    top_p: float | None = None
    beam: int | None = None


@dataclass(frozen=True)
class Request:
    """What is asked for: `count` texts for each prompt, or each row of `inputs`, or one. `asked` replaces settings."""

    prompts: Sequence[Prompt]
    inputs: Mapping[str, Array]
    count: int
    seed: int
    asked: Mapping[str, Any]

    @classmethod
    def of(
        cls,
        prompts: Sequence[Prompt],
        inputs: Mapping[str, Array] | None,
        count: int,
        seed: int,
        asked: Mapping[str, Any],
    ) -> Request:
        """As a caller writes it. Raises TypeError for a setting that is none, as Python does for an argument."""
        for name in asked:
            if name not in KEYS:
                raise TypeError(f"there is no setting {name!r}; there are {', '.join(KEYS)}")
        if isinstance(prompts, str):
            raise TypeError(f"prompts are a list: [{prompts!r}]")
        arrays = {name: np.asarray(array) for name, array in (inputs or {}).items()}
        return cls(prompts, arrays, count, seed, asked)


class Rows(Scorer, Protocol):
    """A scorer for at most `rows` rows, and texts of at most `limit` tokens."""

    rows: int
    limit: int


def texts(
    request: Request,
    settings: Settings,
    words: Vocabulary | None,
    stepper: Callable[[Mapping[str, Array], int, int], Rows],
) -> list[Written]:
    """The texts, so many at a time as the stepper has rows for.

    `stepper` makes one, given the inputs that do not grow, the rows and the tokens that would be welcome. Raises
    InputError.
    """
    manner = manner_of(settings, words, request)
    each = 1 if manner.beam else request.count
    tokens = [row for row in _prompts(request, words) for _ in range(each)]
    inputs = {name: np.repeat(a, each, axis=0) for name, a in request.inputs.items()}
    width = manner.beam or 1
    made = stepper(inputs, len(tokens) * width, manner.limit)
    if width > made.rows:
        raise InputError("too-wide-beam", f"this model searches among {made.rows} texts at most, not {width}")
    manner, several = replace(manner, limit=min(manner.limit, made.limit)), made.rows // width
    found: list[Written] = []
    for first in range(0, len(tokens), several):
        part = {name: array[first : first + several] for name, array in inputs.items()}
        found += write(made, part, tokens[first : first + several], manner, first)
    return found if words is None else [replace(w, text=_text(words, w)) for w in found]


def manner_of(settings: Settings, words: Vocabulary | None, request: Request) -> Manner:
    """How tokens are chosen: as the settings say, but for what is asked for. Raises InputError.

    What is asked of drawing puts the beam of the settings aside; `top_k` and `top_p` alone mean a temperature of 1.
    """
    given = {key: value for key, value in request.asked.items() if value is not None}
    drawing = given.keys() & {"temperature", "top_k", "top_p"}
    if drawing and given.get("beam"):
        problem = f"a beam search draws nothing, so `beam` and `{min(drawing)}` exclude each other"
        raise InputError("wrong-setting", problem, "leave one of them out")
    said = {key: getattr(settings, key) for key in KEYS}
    chosen = {key: value for key, value in said.items() if value is not None} | given
    if drawing:
        chosen.pop("beam", None)
    for key, holds, expected in BOUNDS:
        if key in chosen and not holds(chosen[key]):
            raise InputError("wrong-setting", f"`{key}` is {chosen[key]}, expected {expected}")
    if chosen.keys() & {"top_k", "top_p"}:
        chosen.setdefault("temperature", 1.0)
    if request.count < 1 or request.count > (chosen.get("beam") or request.count):
        expected = f"1 to {chosen['beam']}, the texts of the beam" if chosen.get("beam") else "a whole number from 1"
        raise InputError("wrong-setting", f"`count` is {request.count}, expected {expected}")
    tokens = {key: _token(key, getattr(settings, key), words) for key in ("start", "stop")}
    if words is not None and tokens["stop"] is None:
        tokens["stop"] = words.end
    best = request.count if chosen.get("beam") else 1
    own = {"limit": LIMIT, "words": words.tokens if words else None, "seed": request.seed, "best": best}
    return Manner(**own | chosen | tokens)


def _token(key: str, value: int | str | None, words: Vocabulary | None) -> int | None:
    if not isinstance(value, str):
        return value
    if words is None:
        problem = f"`{key}` is a text, and no data say which token it is"
        raise InputError("no-vocabulary", problem, "write the number of the token, or train on a `data` section")
    return words.token(key, value)


def _text(words: Vocabulary, written: Written) -> str:
    return words.decode(np.concatenate([written.prompt, written.tokens]))


def _prompts(request: Request, words: Vocabulary | None) -> list[Array]:
    """The tokens of each prompt: empty ones where only inputs are given. Raises InputError."""
    prompts = request.prompts
    rows = {len(array) for array in request.inputs.values()} | ({len(prompts)} if prompts else set())
    if len(rows) > 1 or 0 in rows:
        found = ", ".join(f"{name} has {len(array)}" for name, array in request.inputs.items())
        problem = f"there must be a prompt for each row of the inputs: there are {len(prompts)} prompts, {found}"
        raise InputError("uneven-inputs", problem)
    if not prompts:
        return [np.zeros(0, np.int64)] * max(rows, default=1)
    if words is None and any(isinstance(p, str) for p in prompts):
        problem = "the prompt is a text, and no data say what its tokens are"
        raise InputError("no-vocabulary", problem, "give the numbers of tokens, or train on a `data` section")
    return [words.encode(p) if words and isinstance(p, str) else _row(p) for p in prompts]


def _row(prompt: Prompt) -> Array:
    """A prompt that is given as tokens."""
    array = np.asarray(prompt)
    if array.ndim == 1 and (array.dtype.kind in "iu" or not array.size):
        return array.astype(np.int64)
    problem = f"a prompt is a text or a row of tokens, found an array {list(array.shape)} of {array.dtype}"
    raise InputError("wrong-prompt", problem, "give a list of prompts, each with whole numbers")
