"""axonc compiles declarative neural-network specifications. The public names load what they need when first used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .program import Program as Program
    from .program import compile as compile  # noqa: A004 - the verb of the field
    from .runtime.errors import DataError as DataError
    from .runtime.errors import Diverged as Diverged
    from .runtime.errors import FileError as FileError
    from .runtime.errors import InputError as InputError
    from .runtime.model import Model as Model
    from .runtime.model import load as load
    from .runtime.trainer import History as History
    from .spec.source import CompileError as SpecError  # noqa: F401

__version__ = "0.1.0"

_PLACES = {
    "Program": ("program", "Program"),
    "compile": ("program", "compile"),
    "DataError": ("runtime.errors", "DataError"),
    "Diverged": ("runtime.errors", "Diverged"),
    "FileError": ("runtime.errors", "FileError"),
    "InputError": ("runtime.errors", "InputError"),
    "Model": ("runtime.model", "Model"),
    "load": ("runtime.model", "load"),
    "History": ("runtime.trainer", "History"),
    "SpecError": ("spec.source", "CompileError"),
}
__all__ = [*_PLACES, "__version__"]


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'axonc' has no attribute {name!r}")
    module, attribute = _PLACES[name]
    value = getattr(import_module(f".{module}", __name__), attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
