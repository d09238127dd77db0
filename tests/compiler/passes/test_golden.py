"""What passes make of graphs: each golden file has a list of passes, the graph before, and the graph after."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from axonc.compiler.ir.text import read, write
from axonc.compiler.ir.verify import verify
from axonc.compiler.passes.duplicates import merge_duplicates
from axonc.compiler.passes.expand import expand_composites
from axonc.compiler.passes.factors import factor_sums
from axonc.compiler.passes.fold import fold
from axonc.compiler.passes.joins import join_at_once
from axonc.compiler.passes.products import absorb_into_products
from axonc.compiler.passes.sequence import Pass, run
from axonc.compiler.passes.simplify import simplify
from axonc.compiler.passes.slices import slice_operands
from axonc.compiler.passes.split_scan import split_scan
from axonc.compiler.passes.stops import drop_stops
from axonc.compiler.passes.unused import drop_unused

from ..graphs import assert_same_meaning

STEPS = (
    drop_unused, merge_duplicates, expand_composites, fold, simplify, split_scan, drop_stops, absorb_into_products,
    join_at_once, factor_sums, slice_operands,
)  # fmt: skip
PASSES: dict[str, Pass] = {step.__name__: step for step in STEPS}
FILES = sorted((Path(__file__).parent / "golden").glob("*.txt"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_passes_make_of_the_first_graph_the_second(path: Path, golden: Callable[[Path, str], None]) -> None:
    names, text, _ = path.read_text(encoding="utf-8").split("---\n")
    before = read(text, path.name)
    after = run(before, [PASSES[name] for name in names.split()], lambda name, graph, seconds: verify(graph))
    assert_same_meaning(before, after)
    golden(path, f"{names}---\n{text}---\n{write(after)}")
