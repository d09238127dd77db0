"""The words of the language: Python functions that make nodes, declared with `@word`, found by name."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, TypeVar

from .values import REQUIRED, Signature, Slot, Word

Build = TypeVar("Build", bound=Callable[..., Any])
_BUILDS: dict[str, Callable[..., Any]] = {}


def word(build: Build) -> Build:
    """Makes a function a word of the language, under its name without a final underscore.

    Its first parameter is the Use; positional ones are inputs, keyword-only ones settings, `*xs` takes any number.
    Annotations name kinds (see `kinds.KINDS`).
    """
    name = build.__name__.rstrip("_")
    assert name not in _BUILDS, name
    _BUILDS[name] = build
    return build


@cache
def find(name: str) -> Word | None:
    """The word called `name`, if it is one that Python makes."""
    _load()
    build = _BUILDS.get(name)
    return Word(name, _signature(build), build) if build else None


def names() -> frozenset[str]:
    _load()
    return frozenset(_BUILDS)


@cache
def _load() -> None:
    """Imports every module of layers, which declare their words."""
    for module in iter_modules(import_module("..layers", __package__).__path__):
        import_module(f"..layers.{module.name}", __package__)


def _signature(build: Callable[..., Any]) -> Signature:
    function: Any = build
    code = function.__code__
    names: tuple[str, ...] = code.co_varnames
    positional, keywords = code.co_argcount, code.co_kwonlyargcount
    kinds = function.__annotations__
    defaults = dict(zip(reversed(names[1:positional]), reversed(function.__defaults__ or ()), strict=False))
    inputs = [Slot(n, _kind(kinds[n]), defaults.get(n, REQUIRED)) for n in names[1:positional]]
    if code.co_flags & 0x04:
        many = names[positional + keywords]
        inputs.append(Slot(many, _kind(kinds[many]), (), many=True))
    named = function.__kwdefaults__ or {}
    settings = (
        Slot(n.rstrip("_"), _kind(kinds[n]), named.get(n, REQUIRED)) for n in names[positional : positional + keywords]
    )
    return Signature(tuple(inputs), tuple(settings))


def _kind(annotation: str) -> str:
    """`Tensor | None` is an optional tensor: what may be None says so by its default."""
    return annotation.split("|")[0].strip().lower()
