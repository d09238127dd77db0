"""The conformance examples: whole models in both notations."""

from __future__ import annotations

from pathlib import Path

import pytest
from axonc.spec.load import load, read
from axonc.spec.source import Source
from axonc.spec.write import convert, format_source, write

MODELS = sorted((Path(__file__).parent / "models").glob("*.axon"))
FILES = [path.with_suffix(suffix) for path in MODELS for suffix in (".axon", ".yaml")]


def source(path: Path) -> Source:
    return Source(path.name, path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.stem)
def test_both_notations_of_a_model_are_the_same_tree(path: Path) -> None:
    assert read(source(path)) == read(source(path.with_suffix(".yaml")))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
@pytest.mark.parametrize("notation", ["axon", "yaml"])
def test_a_model_is_the_same_after_writing_it_in_either_notation(path: Path, notation: str) -> None:
    model = read(source(path))
    text = convert(source(path), notation)
    again = read(Source(f"again.{notation}", text))
    assert again == model
    assert write(again, notation) == text


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.stem)
def test_converting_there_and_back_gives_the_formatted_text(path: Path) -> None:
    formatted = format_source(source(path))
    there = convert(source(path), "yaml")
    back = convert(Source("there.yaml", there), "axon")
    # Model 18 binds an input behind the targets: the notations have one order for both.
    assert back == formatted


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_no_line_of_a_formatted_model_is_too_long(path: Path) -> None:
    assert max(map(len, format_source(source(path)).splitlines())) <= 100


@pytest.mark.parametrize("path", [path for path in FILES if not path.stem.startswith("17")], ids=lambda path: path.name)
def test_a_model_without_includes_loads_as_it_reads(path: Path) -> None:
    assert load(path) == read(source(path))


def test_the_spelling_of_numbers_is_kept() -> None:
    text = "axonc 1\nmodel m(a = 61_706, b = 1e-3, c = 2GB)\n"
    assert format_source(Source("m.axon", text)) == text
    assert "c: 2GB" in convert(Source("m.axon", text), "yaml")
