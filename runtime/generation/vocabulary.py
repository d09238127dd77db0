"""Texts to the tokens of an input, as the data section of a model encodes it, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..data.functions import chain
from ..data.inputs import encode, invert
from ..data.recipe import Binding, Recipe
from ..data.tokens import PADDING, RESERVED, UNKNOWN
from ..errors import InputError, quoted


@dataclass(frozen=True)
class Vocabulary:
    """The words or characters of the input `name`; `learned` as `Dataset.learned`."""

    recipe: Recipe
    learned: Mapping[str, Any]
    name: str

    @property
    def tokens(self) -> range:
        """The tokens that stand for something: neither padding, nor what is unknown."""
        return range(RESERVED, RESERVED + len(self.learned[self.name]["steps"][-1]))

    @property
    def end(self) -> int | None:
        """What stands behind a text in the data: padding where texts are rows, nothing where they are windows."""
        return None if chain(self.recipe.binding(self.name).steps).length else PADDING

    def encode(self, text: str) -> np.ndarray:
        """The tokens of a text, i32[tokens]."""
        return encode(self.recipe, self.learned, self.name, text)

    def token(self, key: str, text: str) -> int:
        """The one token that the setting `key` names by its text. Raises InputError."""
        found = self.encode(text)
        if len(found) == 1 and found[0] != UNKNOWN:
            return int(found[0])
        problem = f"`{key}` is {quoted(text)}, which is no token of `{self.name}`"
        raise InputError("unknown-token", problem, "give a text that the data encode as one token")

    def decode(self, tokens: np.ndarray) -> str:
        """The text of tokens; padding stands for nothing."""
        if not len(tokens):
            return ""
        found = invert(self.recipe, self.learned, self.name, tokens[None])
        assert found is not None
        return str(found[0])


def vocabulary(recipe: Recipe, learned: Mapping[str, Any], name: str) -> Vocabulary | None:
    """The vocabulary of an input; None where the data do not give it texts.

    Raises InputError where the targets that are texts have other tokens: what is written would be read as another text.
    """
    if not any(b.name == name and _is_text(b) for b in recipe.bindings):
        return None
    targets = [b.name for b in recipe.bindings if b.target and _is_text(b)]
    if targets and all(learned[target]["steps"][-1] != learned[name]["steps"][-1] for target in targets):
        problem = f"the tokens of `{name}` and of the target `{targets[0]}` are not the same"
        advice = "bind both to one column, or to columns with the same words equally often"
        raise InputError("other-vocabulary", problem, advice)
    return Vocabulary(recipe, learned, name)


def _is_text(binding: Binding) -> bool:
    """Whether a binding gives the tokens of texts."""
    functions = chain(binding.steps).functions
    return bool(functions) and functions[-1].gives == "tokens"
