"""What the `data` section of a spec asks for, as plain frozen data: made by the compiler, saved with a model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

Value: TypeAlias = "int | float | str | bool | tuple[Value, ...] | None"

PARTS = ("train", "validation", "test")


@dataclass(frozen=True, slots=True)
class Column:
    """The column (or array of an npz file) of exactly this name."""

    name: str


@dataclass(frozen=True, slots=True)
class Pattern:
    """The columns whose names match `text`, where `*` stands for any characters; in the order of the file."""

    text: str


@dataclass(frozen=True, slots=True)
class AllExcept:
    """All columns but those that these selectors choose."""

    selectors: tuple[Selector, ...]


Selector: TypeAlias = Column | Pattern | AllExcept


@dataclass(frozen=True, slots=True)
class Step:
    """The use of one preparing function. `arguments` are by name, as `functions.step` makes them."""

    function: str
    arguments: tuple[tuple[str, Value], ...] = ()


@dataclass(frozen=True, slots=True)
class Binding:
    """One input of the model: the columns it comes from and what is done to them, in order.

    A binding that begins with an earlier one repeats that one's columns and steps; equal beginnings are computed once.
    `dtype`, `shape` (without the batch) and `entries` are what the model wants, None where anything will do: a size
    that is a name or None is free, `entries` says that values are indices from 0 to below it.
    """

    name: str
    target: bool
    columns: tuple[Selector, ...]
    steps: tuple[Step, ...] = ()
    dtype: str | None = None
    shape: tuple[int | str | None, ...] | None = None
    entries: int | None = None


@dataclass(frozen=True, slots=True)
class Augmentation:
    """What chance does to the input `name` of a training sample, in this order.

    An image, [height, width] or [height, width, channels], is mirrored along each axis of `flip` (`horizontal`,
    `vertical`) in half of the samples, and cut out of itself with `crop` rows and columns of zeros around it, at its
    own size. Then normal numbers of the deviation `noise` are added, and a square of `erase` pixels, whose middle is
    any pixel, is 0 (cutout, DeVries and Taylor 2017). `together` are inputs that are mirrored and cut as this one is.
    """

    name: str
    flip: tuple[str, ...] = ()
    crop: int = 0
    noise: float = 0.0
    erase: int = 0
    together: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Recipe:
    """A whole `data` section.

    `source` is a file below the folder of the spec; its suffix says what it is: csv, tsv, npz or txt; or a folder of
    images. `split` gives for train, validation and test either a share of the source's rows or a file of their own;
    without it all rows are for training. `seed` decides the split and, with the epoch, the order of rows and how they
    are augmented.
    """

    source: str
    bindings: tuple[Binding, ...]
    split: tuple[tuple[str, float | str], ...] = (("train", 1.0),)
    batch: int = 32
    shuffle: bool = True
    seed: int = 0
    augment: tuple[Augmentation, ...] = ()

    def binding(self, name: str) -> Binding:
        return next(binding for binding in self.bindings if binding.name == name)


def to_json(recipe: Recipe) -> dict[str, Any]:
    """`recipe` as what JSON can say: tables, lists, texts, numbers."""
    return {
        "source": recipe.source,
        "bindings": [_binding_to_json(binding) for binding in recipe.bindings],
        "split": dict(recipe.split),
        "batch": recipe.batch,
        "shuffle": recipe.shuffle,
        "seed": recipe.seed,
        "augment": [asdict(each) for each in recipe.augment],
    }


def from_json(data: Mapping[str, Any]) -> Recipe:
    """The recipe that `to_json` wrote."""
    bindings = tuple(_binding_from_json(binding) for binding in data["bindings"])
    split = tuple(data["split"].items())
    augment = tuple(
        Augmentation(**{key: _frozen(value) for key, value in each.items()}) for each in data.get("augment", ())
    )
    return Recipe(data["source"], bindings, split, data["batch"], data["shuffle"], data["seed"], augment)


def _binding_to_json(binding: Binding) -> dict[str, Any]:
    return {
        "name": binding.name,
        "target": binding.target,
        "columns": [_selector_to_json(selector) for selector in binding.columns],
        "steps": [[step.function, dict(step.arguments)] for step in binding.steps],
        "dtype": binding.dtype,
        "shape": binding.shape,
        "entries": binding.entries,
    }


def _binding_from_json(data: Mapping[str, Any]) -> Binding:
    columns = tuple(_selector_from_json(selector) for selector in data["columns"])
    steps = tuple(
        Step(name, tuple((key, _frozen(value)) for key, value in arguments.items()))
        for name, arguments in data["steps"]
    )
    return Binding(data["name"], data["target"], columns, steps, data["dtype"], _frozen(data["shape"]), data["entries"])


def _selector_to_json(selector: Selector) -> Any:
    match selector:
        case Column(name):
            return name
        case Pattern(text):
            return {"pattern": text}
        case AllExcept(selectors):
            return {"except": [_selector_to_json(inner) for inner in selectors]}


def _selector_from_json(data: Any) -> Selector:
    match data:
        case {"pattern": text}:
            return Pattern(text)
        case {"except": selectors}:
            return AllExcept(tuple(_selector_from_json(inner) for inner in selectors))
    return Column(data)


def _frozen(value: Any) -> Any:
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value
