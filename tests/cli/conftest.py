"""What the tests of the command line share: a folder with specs, and a command line that runs in this process."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from axonc.cli.main import run

DIGITS = """axonc 1
model digits(hidden = 16, rate = 0.2)

input image: f32[N, 8, 8]
input label: i64[N]

block maxout(x; units) {
  weight W1, W2: f32[last(x), units]
  weight b1, b2: f32[units]
  max(x @ W1 + b1, x @ W2 + b2)
}

logits = image |> flatten |> maxout(hidden) |> dropout(rate) |> dense(10)

loss cross_entropy(logits, label)
metric accuracy(logits, label)

train { optimizer adam(rate = 3e-3); epochs 20 }
"""
DEEP = """axonc 1
model deep(width = 8, depth = 6)

input image: f32[N, 4, 4]
input label: i64[N]

block layer(x) {
  x + (x |> dense(width) |> relu)
}

x = image |> flatten |> dense(width)
repeat depth { x = layer(x) }
logits = x |> dense(3)

loss cross_entropy(logits, label)
train { optimizer sgd(0.1, momentum = 0.9) }
"""
BROKEN = """axonc 1
model broken

input image: f32[N, 8, 8]
input label: i64[N]

hidden = image |> flatten |> denze(64)
logits = image |> flatten |> dense(units = 10, filtres = 3)

loss cross_entropy(logits, label)
"""
IRIS = """axonc 1
model flowers

data "flowers.csv" {
  size = [length, width] |> normalise
  target kind = species |> classes
  split { train 0.6; validation 0.2; test 0.2 }
  batch 8
}

input size: f32[N, 2]
input kind: i64[N]

logits = size |> dense(8, activation = tanh) |> dense(2)

output species = argmax(logits)
loss cross_entropy(logits, kind)
metric accuracy(logits, kind)

train { optimizer adam(0.05); epochs 12 }
"""


class Ended(NamedTuple):
    """How a command line ended."""

    code: int
    out: str
    err: str


@pytest.fixture
def axonc(capsys: pytest.CaptureFixture[str]) -> Callable[..., Ended]:
    """Runs a command line in this process."""

    def call(*arguments: str) -> Ended:
        capsys.readouterr()
        code = run(arguments)
        out, err = capsys.readouterr()
        return Ended(code, out, err)

    return call


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current folder with four specs, one of them with mistakes, and flowers that can be told apart."""
    monkeypatch.chdir(tmp_path)
    for name, text in (("digits", DIGITS), ("deep", DEEP), ("broken", BROKEN), ("flowers", IRIS)):
        (tmp_path / f"{name}.axon").write_text(text)
    rows = [f"{4 + i % 7 / 10},{1 + i % 3 / 10},small" for i in range(30)]
    rows += [f"{6 + i % 7 / 10},{2 + i % 3 / 10},large" for i in range(30)]
    (tmp_path / "flowers.csv").write_text("\n".join(["length,width,species", *rows]) + "\n")
    return tmp_path
