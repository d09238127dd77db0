"""Kernels that hardly take of a run's time stand apart, are not optimised, and compute the same."""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from axonc.backends import NUMPY, Backend, backend
from axonc.compiler.ir import dims
from axonc.compiler.ir.dims import Size
from axonc.compiler.ir.types import F32
from axonc.compiler.native import light
from axonc.compiler.native.light import APART, CALL, SHARE, Work
from axonc.compiler.native.sharing import Shared
from axonc.compiler.pipeline import compile_graph
from axonc.compiler.schedule.code import Block, Instruction
from axonc.compiler.schedule.kernel import Buffer, contiguous
from axonc.compiler.schedule.target import Machinery, native
from axonc.runtime.plan import Code
from axonc.specification import check

from .compiled import needs_compiler

WORKLOADS = Path(__file__).parents[3] / "benchmarks/workloads"
MACHINERY = Machinery(8, 16, 32 << 10, 1 << 20)
LOOP = """axonc 1
model m
input x: f32[N, 6, 5]
input label: i64[N]
logits = x |> lstm(7, sequence = false) |> dense(3)
loss cross_entropy(logits, label)
train { optimizer adam(1e-2) }
"""


def function(number: int) -> Shared:
    return Shared(f"void @(long n{number}) {{{' ' * APART}}}\n", {f"kernel{number}": ()})


def code_of(name: str, phase: str, rows: int) -> Code:
    graph = getattr(check(WORKLOADS / f"{name}.axon").phases, phase)
    code = compile_graph(graph, rows=rows, target=native(MACHINERY)).code
    assert code is not None
    return code


def test_functions_stand_apart_while_they_take_little_together() -> None:
    functions = [function(i) for i in range(4)]
    most = round(10 / SHARE)
    work = Work({}, Counter(kernel0=most, kernel1=4, kernel2=5, kernel3=6))
    assert light.light(functions, [work]) == [functions[1], functions[2]]


def test_functions_stand_apart_that_take_little_for_every_count() -> None:
    functions = [function(i) for i in range(3)]
    most = round(10 / SHARE)
    works = [Work({}, Counter(kernel0=most, kernel1=4, kernel2=n)) for n in (4, most)]
    assert light.light(functions, works) == [functions[1]]


def test_few_characters_do_not_stand_apart() -> None:
    functions = [Shared("void @(void) {}\n", {"kernel0": ()}), function(1)]
    assert light.light(functions, [Work({}, Counter(kernel0=1, kernel1=round(10 / SHARE)))]) == []


def test_work_is_bytes_and_operations_of_all_turns() -> None:
    samples = dims.name("N")
    x = contiguous(Buffer("x", F32, samples), (samples,))
    work = Work({"N": 10})
    work.add("kernel", Instruction("product", (x,), (x,), flops=samples * 4000))
    assert work.of["kernel"] == CALL + 2 * 40 + 10 * 1000
    with work.inside(Block("start", "length", samples, 4, ())):
        work.add("turn", Instruction("copy", (x._replace(shape=(dims.name("length"),)),), ()))
    work.add("after", Instruction("fill", (x,), ()))
    assert (work.of["turn"], work.of["after"]) == (3 * (CALL + 16), CALL + 40)


def test_what_multiplies_has_operations_and_what_prepares_operands_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    lines: dict[str, list[Size]] = defaultdict(list)
    monkeypatch.setattr(Work, "add", lambda _, kernel, line: lines[line.name].append(line.flops))
    code_of("cnn", "train", 64)
    assert all(n != 0 for name in ("product", "winograd", "conv_weight", "conv") for n in lines[name])
    assert all(n == 0 for name in ("border", "flipped", "winograd_weights") for n in lines[name])
    assert {"product", "winograd", "conv", "border", "flipped", "winograd_weights"} <= set(lines)


def test_the_small_products_of_a_convolutional_network_stand_apart_and_its_convolutions_do_not() -> None:
    text = code_of("resnet20", "train", 32).light
    assert text.count("/* product") == 3
    assert "/* conv" not in text
    assert "/* winograd" not in text


def test_nothing_of_a_small_network_stands_apart() -> None:
    assert code_of("playground", "train", 30).light == ""


@needs_compiler
@pytest.mark.parametrize("threads", [1, 2])
def test_what_stands_apart_computes_what_numpy_does(monkeypatch: pytest.MonkeyPatch, threads: int) -> None:
    graph = check(LOOP).phases.train
    found = backend("native", threads=threads)
    expected = results(graph, NUMPY)
    monkeypatch.setattr(light, "SHARE", 0.7)
    code = compile_graph(graph, rows=4, target=found.target).code
    assert code is not None
    assert 10 < code.light.count("/* ") > sum(unit.count("/* ") for unit in code.units) > 0
    for name, array in results(graph, found).items():
        np.testing.assert_allclose(array, expected[name], rtol=1e-4, atol=1e-6)


def results(graph: Any, on: Backend) -> dict[str, np.ndarray]:
    """What a step gives, and what it leaves in memory."""
    draw = np.random.default_rng(0)
    memory = on.memory()
    machine = on.machine(compile_graph(graph, rows=4, target=on.target), memory)
    binding = machine.binding(4)
    for _, array in sorted(binding.inputs.items()):
        array[...] = draw.integers(0, 3, array.shape) * (1 if array.dtype.kind == "i" else 0.1)
    machine.forget()
    machine.execute(binding)
    return {name: array.copy() for name, array in (*binding.results.items(), *memory.items())}
