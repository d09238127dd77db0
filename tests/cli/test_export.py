"""`axonc export`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import axonc as package
import numpy as np
import onnxruntime
import pytest

from .conftest import Ended

Run = Callable[..., Ended]


def test_a_trained_run_predicts_in_onnx_runtime_what_it_predicts_here(axonc: Run, folder: Path) -> None:
    assert axonc("train", "flowers.axon", "--quiet", "--out", "run").code == 0
    assert axonc("export", "run", "flowers.onnx") == Ended(0, "", "")
    flowers = np.array([[-1.0, -1.0], [1.0, 1.0]], np.float32)
    session = onnxruntime.InferenceSession("flowers.onnx", providers=["CPUExecutionProvider"])
    (species,) = session.run(["species"], {"size": flowers})
    wanted = package.load("run").predict({"size": flowers})["species"]
    assert species.tolist() == wanted.tolist()
    assert len({*wanted.tolist()}) == 2


def test_a_spec_is_exported_with_its_first_weights_and_other_constants(axonc: Run, folder: Path) -> None:
    assert axonc("export", "digits.axon", "digits.onnx", "--set", "hidden=4").code == 0
    image = np.random.default_rng(0).standard_normal((3, 8, 8)).astype(np.float32)
    session = onnxruntime.InferenceSession("digits.onnx", providers=["CPUExecutionProvider"])
    (logits,) = session.run(None, {"image": image})
    wanted = package.compile("digits.axon", overrides={"hidden": 4}).predict({"image": image})["logits"]
    np.testing.assert_allclose(logits, wanted, 1e-5, 1e-6)


def test_a_spec_may_read_what_is_allowed(axonc: Run, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "blocks.axon").write_text("block twice(x) { x |> dense(3) |> dense(3) }\n")
    Path("user.axon").write_text(
        f'axonc 1\nmodel user\ninclude "{tmp_path}/elsewhere/blocks.axon"\ninput x: f32[N, 3]\noutput y = x |> twice\n'
    )
    assert axonc("export", "user.axon", "user.onnx").code == 1
    assert axonc("export", "user.axon", "user.onnx", "--allow", str(tmp_path / "elsewhere")).code == 0


def test_a_file_is_replaced_only_when_forced(axonc: Run, folder: Path) -> None:
    Path("net.onnx").write_text("mine")
    ended = axonc("export", "deep.axon", "net.onnx")
    assert ended.code == 2
    assert "net.onnx is there already; --force replaces it" in ended.err
    assert Path("net.onnx").read_text() == "mine"
    assert axonc("export", "deep.axon", "net.onnx", "--force").code == 0


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("broken.axon", "net.onnx"), 1, "unknown-layer"),
        (("deep.axon", "net.txt"), 2, "does not end with .onnx"),
        (("missing.axon", "net.onnx"), 1, "missing.axon"),
        ((".", "net.onnx"), 3, "no-run"),
        ((".", "net.onnx", "--set", "width=3"), 2, "--set, --size and --allow are for a spec"),
        ((".", "net.onnx", "--allow", "."), 2, "--set, --size and --allow are for a spec"),
        (("deep.axon", "no/folder/net.onnx"), 3, "cannot-write"),
    ],
)
def test_what_cannot_be_exported_is_said(
    axonc: Run, folder: Path, arguments: tuple[str, ...], code: int, said: str
) -> None:
    ended = axonc("export", *arguments)
    assert (ended.code, ended.out) == (code, "")
    assert said in ended.err
    assert not Path("net.onnx").exists()


def test_a_word_that_onnx_lacks_is_shown_where_it_stands(axonc: Run, folder: Path) -> None:
    Path("noise.axon").write_text("axonc 1\ninput x: f32[N, 3]\ny = x + random_normal(shape(x))\n")
    ended = axonc("export", "noise.axon", "noise.onnx")
    assert ended.code == 1
    assert "error[not-in-onnx]" in ended.err
    assert "noise.axon:3:9" in ended.err


def test_without_the_package_onnx_it_is_named(axonc: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [n for n in sys.modules if n.startswith("axonc.compiler.exchange")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "onnx", None)
    ended = axonc("export", "deep.axon", "net.onnx")
    assert ended.code == 3
    assert "error[no-onnx]" in ended.err
