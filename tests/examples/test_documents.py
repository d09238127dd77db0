"""What the pages show is run: the specs of the tutorial are trained, the examples of the language are checked, and the
Python of the pages is executed."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import axonc
import pytest
from axonc.spec.load import read
from axonc.spec.source import Source
from axonc.spec.write import convert
from axonc.specification import check

ROOT = Path(__file__).parents[2]
DATA = ("cars/cars.csv", "iris/iris.csv", "digits/digits.npz", "text/surnames.csv")
BLOCK = re.compile(r"^```(axon|yaml|python)(?: (\w+) >= ([\d.]+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block of a page: its language, its text, its line, and what its test part must reach, if it says so."""

    language: str
    text: str
    line: int
    metric: str
    least: float


def blocks(page: str, *languages: str) -> list[Block]:
    return [block for block in _blocks((ROOT / page).read_text(encoding="utf-8")) if block.language in languages]


def _blocks(text: str) -> Iterator[Block]:
    for found in BLOCK.finditer(text):
        line = text.count("\n", 0, found.start()) + 2
        yield Block(found[1], found[4], line, found[2] or "", float(found[3] or 0))


def computes(block: Block) -> bool:
    """Whether an example has inputs and something that is computed of them."""
    return "input" in block.text and (" = " in block.text.split("input")[-1] or "layers:" in block.text)


def label(block: Block) -> str:
    return f"line {block.line}"


TUTORIAL = blocks("docs/tutorial.md", "axon", "yaml")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the data of the examples, which is also the one that we are in."""
    for name in DATA:
        shutil.copy(ROOT / "examples" / name, tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_tutorial_has_ten_steps() -> None:
    assert len(TUTORIAL) == 10


@pytest.mark.parametrize("block", TUTORIAL, ids=label)
def test_a_step_of_the_tutorial_trains(block: Block, folder: Path) -> None:
    path = folder / f"step.{block.language}"
    path.write_text(block.text, encoding="utf-8")
    history = axonc.compile(path).fit()
    if block.metric:
        assert history.test[block.metric] >= block.least
    else:
        assert history.epochs[-1].train["loss"] < history.epochs[0].train["loss"] / 2


def test_the_two_notations_of_the_tutorial_are_one_model() -> None:
    axon, yaml = (b.text for b in TUTORIAL[4:6])
    assert convert(Source("iris.axon", axon), "yaml") == convert(Source("iris.yaml", yaml), "yaml")


def test_the_python_of_the_page_about_python_runs(folder: Path) -> None:
    names: dict[str, object] = {}
    for block in blocks("docs/python.md", "python"):
        text = "\n" * (block.line - 1) + block.text
        exec(compile(text, ROOT / "docs" / "python.md", "exec"), names)
    assert (folder / "iris.safetensors").exists()


def test_the_python_of_the_readme_runs(folder: Path) -> None:
    shutil.copytree(ROOT / "examples" / "iris", folder / "examples" / "iris")
    (block,) = blocks("README.md", "python")
    exec(block.text, {})
    assert (folder / "iris.safetensors").exists()


LANGUAGE = blocks("docs/language.md", "axon", "yaml")


@pytest.mark.parametrize("block", LANGUAGE, ids=label)
def test_an_example_of_the_language_is_read(block: Block) -> None:
    read(Source(f"language.{block.language}", block.text))


@pytest.mark.parametrize("pair", [p for p in pairwise(LANGUAGE) if p[1].language == "yaml"], ids=lambda p: label(p[1]))
def test_the_two_notations_of_an_example_are_one_model(pair: tuple[Block, Block]) -> None:
    first, second = (convert(Source(f"language.{b.language}", b.text), "axon") for b in pair)
    assert first == second


@pytest.mark.parametrize("block", [b for b in LANGUAGE if computes(b)], ids=label)
def test_an_example_that_computes_is_free_of_mistakes(block: Block, folder: Path) -> None:
    path = folder / f"example.{block.language}"
    path.write_text(block.text, encoding="utf-8")
    check(path)
