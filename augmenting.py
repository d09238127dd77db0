"""The `augment` settings of a spec to what chance does to inputs, and what of it cannot be done to them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from .compiler.settings import Reader
from .compiler.trace import errors
from .compiler.trace.tracer import Tracer
from .runtime.data.recipe import Augmentation, Binding
from .spec import tree
from .spec.source import Diagnostic, Span
from .spec.suggest import nearest

DIRECTIONS = ("horizontal", "vertical")
OF_IMAGES = ("flip", "crop", "erase")

Fault: TypeAlias = tuple[Span, str, str]  # its place, the problem, what to do


class WrongAugmentation(Diagnostic):
    """A change by chance that an input cannot undergo."""

    code = "wrong-augmentation"
    title = "{problem}"
    help = "{advice}"
    problem: str
    advice: str


def augmentations(reader: Reader) -> tuple[Augmentation, ...]:
    """What the `augment` of a data section asks for. Mistakes are reported to the reader's tracer."""
    return tuple(
        _augmentation(name.text, Reader(reader.t, reader.scope, settings)) for name, settings in _each(reader.settings)
    )


@dataclass(frozen=True)
class Inputs:
    """The inputs of a model: as data give them, as they are declared, and with which image each is moved."""

    bindings: Mapping[str, Binding]
    types: Mapping[str, str]
    moved: dict[str, str] = field(default_factory=dict)

    def check(self, data: tree.Settings, augment: tuple[Augmentation, ...], t: Tracer) -> None:
        """Reports what is augmented and is no input, or none that this can be done to."""
        for asked, (name, settings) in zip(augment, _each(data), strict=True):
            named = (name, *_names(settings, "with"))
            for each in named:
                if each.text not in self.types:
                    t.wrong(errors.NotAnInput, each.span, name=each.text, suggestion=nearest(each.text, self.types))
            if all(each.text in self.bindings for each in named):
                for place, problem, advice in self._faults(asked, settings, named):
                    t.wrong(WrongAugmentation, place, problem=problem, advice=advice)

    def _faults(self, asked: Augmentation, settings: tree.Settings, named: tuple[tree.Name, ...]) -> Iterator[Fault]:
        name, *others = named
        binding = self.bindings[name.text]
        if binding.target:
            advice = f"write `with {name.text}` where the image that it belongs to is augmented"
            yield name.span, f"`{name.text}` is a target, which is not augmented by itself", advice
            return
        yield from self._words(asked, binding, settings)
        if asked.flip or asked.crop:
            yield from self._moves(named)
        elif others:
            problem = f"`{name.text}` is neither mirrored nor cut, so nothing is done with `{others[0].text}`"
            yield others[0].span, problem, "add `flip` or `crop`, or leave `with` out"

    def _words(self, asked: Augmentation, binding: Binding, settings: tree.Settings) -> Iterator[Fault]:
        """Settings that the input is not made for."""
        declared = f"`{binding.name}` is {self.types[binding.name]}"
        for setting in settings.items:
            word = setting.name.span.text
            if word in OF_IMAGES and not _is_image(binding):
                advice = "an image is declared as f32[N, height, width] or f32[N, height, width, channels]"
                yield setting.name.span, f"`{word}` takes an image, {declared}", advice
            elif word == "crop" and asked.crop >= (smallest := _smallest(binding, asked.crop + 1)):
                problem = f"`crop {asked.crop}` can leave nothing of an image of {smallest} pixels"
                yield setting.value.span, problem, f"take less than {smallest}; an eighth of the size is usual"
            elif word == "noise" and not (binding.dtype or "f").startswith("f"):
                yield setting.name.span, f"`noise` takes numbers with a fraction, {declared}", "declare it as f32"

    def _moves(self, named: tuple[tree.Name, ...]) -> Iterator[Fault]:
        """Inputs that cannot be moved as the first of them is."""
        image = self.bindings[named[0].text]
        for each in named:
            first = self.moved.setdefault(each.text, image.name)
            if first != image.name:
                problem = f"`{each.text}` is mirrored and cut with `{first}` already"
                yield each.span, problem, "an input goes with one image"
            elif _is_image(image) and not _alike(image, self.bindings[each.text]):
                found = f"`{each.text}` is {self.types[each.text]}, `{image.name}` {self.types[image.name]}"
                yield each.span, f"{found}: their heights and widths differ", "what goes with an image is of its size"


def _each(data: tree.Settings) -> Iterator[tuple[tree.Name, tree.Settings]]:
    """Each input that is augmented, and how."""
    augment = data.get("augment")
    for item in augment.value.items if augment and isinstance(augment.value, tree.Settings) else ():
        if isinstance(item.name, tree.Name) and isinstance(item.value, tree.Settings):
            yield item.name, item.value


def _augmentation(name: str, reader: Reader) -> Augmentation:
    for direction in (flips := _names(reader.settings, "flip")):
        if direction.text not in DIRECTIONS:
            known, suggestion = " and ".join(DIRECTIONS), nearest(direction.text, DIRECTIONS)
            what = {"what": "direction of `flip`", "name": direction.text, "known": known, "suggestion": suggestion}
            reader.t.wrong(errors.UnknownChoice, direction.span, **what)
    for word in ("flip", "with"):
        e = reader.expression(word)
        if e and not _names(reader.settings, word):
            reader.t.wrong(
                errors.WrongKind, e.span, subject=f"`{word}`", expected="a name, or a list of names", found=e.span.text
            )
    return Augmentation(
        name,
        tuple(direction.text for direction in flips),
        reader.whole("crop", 0, least=1),
        float(reader.number("noise", 0.0, least=0.0)),
        reader.whole("erase", 0, least=1),
        tuple(other.text for other in _names(reader.settings, "with")),
    )


def _names(settings: tree.Settings, word: str) -> tuple[tree.Name, ...]:
    """The names that a setting holds, alone or in a list; none where it holds anything else."""
    setting = settings.get(word)
    value = setting.value if setting else None
    names = value.items if isinstance(value, tree.ListOf) else (value,)
    found = tuple(name for name in names if isinstance(name, tree.Name))
    return found if len(found) == len(names) else ()


def _is_image(binding: Binding) -> bool:
    """Whether a sample is [height, width] or [height, width, channels], or may be as far as is known."""
    windows = any(step.function == "window" for step in binding.steps)
    return binding.shape is None or (len(binding.shape) in (2, 3) and not windows)


def _smallest(image: Binding, otherwise: int) -> int:
    """The height or width of an image, whichever is known and less."""
    return min((size for size in (image.shape or ())[:2] if isinstance(size, int)), default=otherwise)


def _alike(image: Binding, other: Binding) -> bool:
    """Whether both are images of one height and width, as far as these are known."""
    sizes = zip((image.shape or ())[:2], (other.shape or ())[:2], strict=False)
    return _is_image(other) and all(a == b or not (isinstance(a, int) and isinstance(b, int)) for a, b in sizes)
