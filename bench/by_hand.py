"""A file of networks that were written by hand for specs, as a module."""

from __future__ import annotations

from importlib.util import module_from_spec, spec_from_file_location
from typing import Any


def networks(path: str) -> Any:
    """The module in a file, whose `network(spec, …)` gives what runs the spec of that path."""
    place = spec_from_file_location("networks", path)
    assert place is not None
    assert place.loader is not None
    module = module_from_spec(place)
    place.loader.exec_module(module)
    return module
