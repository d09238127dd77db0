"""Weights taken from files, by name and under other names."""

from __future__ import annotations

from pathlib import Path

import axonc
import numpy as np
import pytest
from axonc.runtime import archive

SPEC = """axonc 1
input x: f32[N, 3]
body = dense(4) |> batch_norm
head = dense(2)
y = x |> body |> head
GROUP
"""


def written(folder: Path, group: str) -> Path:
    path = folder / "net.axon"
    path.write_text(SPEC.replace("GROUP", group), encoding="utf-8")
    return path


def store(folder: Path, **arrays: np.ndarray) -> None:
    archive.write(folder / "theirs.safetensors", {n.replace("__", "."): a for n, a in arrays.items()}, {})


def test_weights_and_states_come_from_the_file_and_others_do_not(tmp_path: Path) -> None:
    made = axonc.compile(written(tmp_path, ""))
    arrays = {n: np.full_like(a, 7) for n, a in (made.parameters | made.states).items()}
    archive.write(tmp_path / "theirs.safetensors", arrays, {})
    program = axonc.compile(written(tmp_path, 'group "body.**" { source "theirs.safetensors" }'))
    found = program.parameters | program.states
    assert {n for n, a in found.items() if (a == 7).all()} == {n for n in found if n.startswith("body.")}
    assert "body.batch_norm.centre" in found


def test_weights_may_have_other_names_in_the_file(tmp_path: Path) -> None:
    store(tmp_path, fc__w=np.ones((4, 2), "f4"), fc__b=np.full(2, 3, "f4"))
    group = 'group "head.*" { source "theirs.safetensors"; rename { "fc.w" "head.weight"; "fc.b" "head.bias" } }'
    program = axonc.compile(written(tmp_path, group))
    np.testing.assert_array_equal(program.parameters["head.weight"], np.ones((4, 2)))
    np.testing.assert_array_equal(program.parameters["head.bias"], [3, 3])


def test_arrays_that_are_missing_or_do_not_fit_are_reported_together(tmp_path: Path) -> None:
    store(tmp_path, head__weight=np.ones((2, 4), "f4"), head__biass=np.ones(2, "f4"))
    with pytest.raises(axonc.SpecError) as failure:
        axonc.compile(written(tmp_path, 'group "head.*" { source "theirs.safetensors" }'))
    codes = [(d.code, d.place.span.line, d.place.span.column) for d in failure.value.diagnostics]
    assert codes == [("shape-mismatch", 6, 25), ("missing-weight", 6, 25)]
    assert "head.biass" in failure.value.diagnostics[1].render_help()


def test_a_file_that_is_not_there_is_an_error_about_it(tmp_path: Path) -> None:
    with pytest.raises(axonc.FileError, match=r"theirs\.safetensors"):
        axonc.compile(written(tmp_path, 'group "head.*" { source "theirs.safetensors" }'))


def test_only_files_in_the_folder_of_the_spec_are_read(tmp_path: Path) -> None:
    with pytest.raises(axonc.SpecError, match="outside the folder"):
        axonc.compile(written(tmp_path, 'group "head.*" { source "../theirs.safetensors" }'))
