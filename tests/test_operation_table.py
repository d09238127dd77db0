"""The page of operations says of each what the targets do with it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from axonc.compiler.ir.op import Op
from axonc.compiler.pipeline import compile_graph
from axonc.spec.source import CompileError

from .compiler.ops.graphs import graph_of, type_of
from .compiler.ops.samples import SAMPLES

PAGE = Path(__file__).parents[1] / "docs" / "operations.md"


def table() -> dict[str, list[str]]:
    """The cells of each row of the last table of the page, by the name of the operation."""
    text = PAGE.read_text(encoding="utf-8").partition("## Operations of the graph")[2]
    rows = [re.split(r"(?<!\\)\|", line)[1:-1] for line in text.splitlines() if line.startswith("| `")]
    return {row[0].strip(" `"): [cell.strip() for cell in row[1:]] for row in rows}


def test_every_operation_has_a_row_and_a_rule_on_numpy_and_in_c() -> None:
    found = table()
    assert found.keys() == Op.words.keys()
    assert {row[-3] for row in found.values()} == {row[-2] for row in found.values()} == {"yes"}


def test_every_word_says_what_it_is() -> None:
    text = PAGE.read_text(encoding="utf-8").partition("## Optimizers")[0]
    assert not re.findall(r"^\| `(.*)` \|\s*\|$", text, re.MULTILINE)


def test_formulas_and_gradients_are_those_of_the_rules() -> None:
    known = {
        "relu": ("max(x, 0)", "∂x = where(y > 0, g, 0)"),
        "matmul": ("a @ b", "∂a = g @ bᵀ; ∂b = aᵀ @ g"),
        "softmax": ("softmax(x)", "∂x = y · (g - (Σ (g · y) over [0]))"),
        "mod": ("a % b", "∂a = g; ∂b = -(g · (a // b))"),
        "conv": ("a * b", "∂a = g *ᵀ b; ∂b = a ⋆ g"),
        "argmax": ("argmax(x)", ""),
    }
    rows = table()
    assert {name: tuple(cell.strip("`") for cell in rows[name][2:4]) for name in known} == known


def test_onnx_files_are_made_of_just_what_the_page_says() -> None:
    onnx = pytest.importorskip("axonc.compiler.exchange.onnx", reason="onnx is not installed")

    def can(word: str) -> str:
        sample = SAMPLES[word][0]
        graph = graph_of(sample.op, [type_of(a) for a in sample.arrays])
        compile_graph(graph)
        try:
            onnx.model(graph, {}, word)
        except CompileError:
            return "no"
        return "yes"

    rows = table()
    assert {word: can(word) for word in SAMPLES} == {word: rows[word][-1] for word in SAMPLES}
