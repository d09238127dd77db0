"""The zoo: every model has its published number of weights and compiles in all phases; small versions of it learn."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from axonc.compiler.ir.dims import substitute
from axonc.compiler.ir.graph import DATA, TARGET, Graph
from axonc.compiler.pipeline import compile_graph
from axonc.program import Program
from axonc.specification import check

ZOO = Path(__file__).parents[2] / "examples" / "zoo"
BUDGETS = {"lenet5": 15, "vgg16": 20, "resnet50": 50, "unet": 40, "gpt2": 40, "transformer": 60}
PUBLISHED = {
    "alexnet": 61_100_840,
    "bert": 109_482_240,
    "densenet121": 7_978_856,
    "efficientnet_b0": 5_288_548,
    "gpt2": 124_439_808,
    "lenet5": 61_706,
    "mobilenet_v2": 3_504_872,
    "mobilenet_v3": 5_483_032,
    "resnet18": 11_689_512,
    "resnet50": 25_557_032,
    "vgg16": 138_357_544,
    "vit_b16": 86_567_656,
}


def gated(gates: int, enter: int, units: int) -> int:
    """The weights of a recurrent layer: for each gate those of the input, of the state, and a bias."""
    return gates * (enter * units + units * units + units)


def dense(*widths: int) -> int:
    """The weights of dense layers one after another."""
    return sum((a + 1) * b for a, b in pairwise(widths))


def unet(width: int, depth: int, classes: int) -> int:
    """Ronneberger et al. 2015 with batch normalisation: two convolutions at each level, down and up."""

    def double(enter: int, leave: int) -> int:
        return 9 * enter * leave + 2 * leave + 9 * leave * leave + 2 * leave

    widths = [width * 2**i for i in range(depth + 1)]
    down = sum(double(a, b) for a, b in pairwise([3, *widths]))
    up = sum(4 * 2 * w * w + w + double(2 * w, w) for w in widths[:-1])
    return down + up + (width + 1) * classes


def transformer(entries: int, d: int, hidden: int, depth: int) -> int:
    """Vaswani et al. 2017, table 3, base: shared embeddings, biases everywhere."""
    attention, norm = 4 * dense(d, d), 2 * d
    encoder = attention + dense(d, hidden, d) + 2 * norm
    return entries * d + depth * (encoder + encoder + attention + norm)


BY_HAND = {
    "linear_regression": dense(10, 1),
    "logistic_regression": dense(30, 1),
    "mlp": dense(784, 256, 128, 64, 10),
    "maxout": dense(784, 1200) + dense(240, 1200) + dense(240, 10),
    "autoencoder": dense(784, 1000, 500, 250, 30, 250, 500, 1000, 784),
    "vae": dense(784, 500) + 2 * dense(500, 20) + dense(20, 500, 784),
    "lstm_classifier": 20_000 * 128 + gated(4, 128, 128) + dense(128, 2),
    "gru_classifier": 20_000 * 128 + gated(3, 128, 128) + dense(128, 2),
    "characters": 96 * 64 + gated(4, 64, 256) + gated(4, 256, 256) + dense(256, 96),
    "seq2seq": 2 * 8000 * 256 + gated(3, 256, 256) + gated(3, 512, 256) + 2 * 256 * 64 + 64 + dense(256, 8000),
    "transformer": transformer(37_000, 512, 2048, 6),
    "unet": unet(64, 4, 2),
}
LENGTHS = {"S": 7, "T": 6, "H": 2, "W": 3}

# What makes a model small enough to be trained in a second, and how many classes its labels have.
SMALL: dict[str, dict[str, Any]] = {
    "linear_regression": {},
    "logistic_regression": {},
    "mlp": {"size": 8, "widths": [32, 16]},
    "maxout": {"size": 8, "units": 16, "pieces": 2},
    "lenet5": {},
    "alexnet": {"classes": 4, "size": 64, "width": 4, "hidden": 32},
    "vgg16": {"classes": 4, "size": 32, "width": 4, "hidden": 32},
    "resnet18": {"classes": 4, "size": 32, "width": 4, "counts": [1, 1]},
    "resnet50": {"classes": 4, "size": 32, "width": 4, "counts": [1, 2]},
    "mobilenet_v2": {"classes": 4, "size": 32, "width": 0.1},
    "mobilenet_v3": {"classes": 4, "size": 32, "width": 0.1, "hidden": 32},
    "densenet121": {"classes": 4, "size": 32, "growth": 4, "counts": [2, 2]},
    "efficientnet_b0": {"classes": 4, "size": 32, "width": 0.1},
    "unet": {"width": 4, "depth": 2},
    "autoencoder": {"size": 8, "widths": [32], "code": 4},
    "vae": {"size": 8, "hidden": 32, "code": 4},
    "lstm_classifier": {"entries": 50, "width": 8, "units": 8},
    "gru_classifier": {"entries": 50, "width": 8, "units": 8},
    "characters": {"entries": 20, "width": 8, "units": 16},
    "seq2seq": {"source_words": 20, "target_words": 20, "width": 8, "units": 8, "alignment": 4},
    "transformer": {"entries": 20, "d": 16, "heads": 2, "hidden": 32, "depth": 1},
    "gpt2": {"vocabulary": 20, "context": 16, "d": 16, "heads": 2, "depth": 2},
    "bert": {"vocabulary": 20, "context": 16, "d": 16, "heads": 2, "depth": 1},
    "vit_b16": {"classes": 4, "size": 16, "patch": 8, "d": 16, "heads": 2, "depth": 1},
}
# Rates of the papers are for large models, long training and large batches.
GENTLE = "train { optimizer adam(3e-3) }"


@pytest.mark.parametrize("name", SMALL)
def test_a_model_of_the_zoo_compiles_in_all_phases(name: str) -> None:
    path = ZOO / f"{name}.axon"
    specification = check(path)
    assert specification.parameter_count == (PUBLISHED | BY_HAND)[name]
    assert len(path.read_text().splitlines()) <= BUDGETS.get(name, 60)
    for graph in (specification.phases.predict, specification.phases.evaluate, specification.phases.train):
        assert compile_graph(graph, rows=2, sizes=LENGTHS).steps


@pytest.mark.parametrize("name", SMALL)
def test_a_small_version_of_a_model_lowers_its_loss(name: str) -> None:
    program = Program(check(small(name), overrides=SMALL[name]))
    batch = made(program.specification.phases.train, SMALL[name])
    before = average_loss(program, batch)
    for _ in range(12):
        program.train_step(batch)
    assert average_loss(program, batch) < before


def test_every_model_of_the_zoo_is_tested_and_stands_in_its_table() -> None:
    files = {path.stem for path in ZOO.glob("*.axon")}
    assert files == set(SMALL) == set(PUBLISHED | BY_HAND)
    rows = re.findall(r"^\| \[`(\w+)`\]\(\1\.axon\) \| ([\d,]+) \| (\d+) \|", (ZOO / "README.md").read_text(), re.M)
    lines = {name: len((ZOO / f"{name}.axon").read_text().splitlines()) for name in files}
    assert {name: (int(count.replace(",", "")), int(n)) for name, count, n in rows} == {
        name: ((PUBLISHED | BY_HAND)[name], lines[name]) for name in files
    }


def small(name: str) -> str:
    """A model without its number of weights, and with an optimizer for few steps."""
    text = (ZOO / f"{name}.axon").read_text()
    text = re.sub(r"^assert parameters.*\n", "", text, flags=re.M)
    return re.sub(r"^train \{(.*\}|\n(.*\n)*?\})$", GENTLE, text, flags=re.M)


def average_loss(program: Program, batch: dict[str, np.ndarray]) -> float:
    """The loss over several draws of whatever is random, before steps that are taken back."""
    arrays, losses = program.snapshot(), []
    for _ in range(4):
        losses.append(program.train_step(batch)["loss"])
        program.restore(arrays | {"optimizer/steps": np.array([100 + len(losses)])})
    program.restore(arrays)
    return float(np.mean(losses))


def made(graph: Graph, constants: dict[str, Any]) -> dict[str, np.ndarray]:
    """A fixed batch for what a model asks."""
    random = np.random.default_rng(0)
    words = min((v for k, v in constants.items() if k in ("entries", "vocabulary", "target_words")), default=20)
    ranges: dict[str, Callable[[tuple[int, ...]], np.ndarray]] = {
        "label": lambda shape: random.integers(0, 2, shape),
        "mask": lambda shape: random.integers(0, 2, shape),
        "yes": lambda shape: random.integers(0, 2, shape).astype(np.float32),
        "length": lambda shape: random.integers(3, 6, shape).astype(np.int32),
        "segment": lambda shape: random.integers(0, 2, shape).astype(np.int32),
    }
    batch = {}
    for name, node in graph.named_inputs(DATA, TARGET).items():
        shape = (6, *(substitute(size, LENGTHS) for size in node.shape[1:]))
        if name in ranges:
            batch[name] = ranges[name](shape)
        elif node.dtype.is_float:
            batch[name] = random.uniform(0, 1, shape).astype(np.float32)
        else:
            batch[name] = random.integers(0, words, shape).astype(np.int64 if str(node.dtype) == "i64" else np.int32)
    return batch
