"""Every mistake as a person sees it: a small spec beside the screen it must produce."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from axonc.spec import errors, load_errors, section_errors, yaml_errors
from axonc.spec.load import load
from axonc.spec.render import render
from axonc.spec.source import CompileError, Diagnostic

FOLDER = Path(__file__).parent / "golden"
SPECS = sorted(path for path in FOLDER.iterdir() if path.suffix in (".axon", ".yaml"))
# Its spec would be too long for a golden file; that a long text ends in it is tested with the bombs.
TOO_LONG = "too-long"
KINDS = {
    found
    for module in (errors, load_errors, section_errors, yaml_errors)
    for found in vars(module).values()
    if isinstance(found, type) and issubclass(found, Diagnostic) and hasattr(found, "code")
}


@pytest.fixture(autouse=True)
def _in_the_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(FOLDER)


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_the_screen_is_the_golden_one(path: Path, golden: Callable[[Path, str], None]) -> None:
    with pytest.raises(CompileError) as caught:
        load(path.name)
    screen = "\n\n".join(render(diagnostic) for diagnostic in caught.value.diagnostics)
    golden(path.with_suffix(".txt"), screen.replace(os.sep, "/") + "\n")


def test_every_kind_of_mistake_has_a_golden_screen() -> None:
    kinds = {kind.code for kind in KINDS}
    shown = "".join(path.read_text(encoding="utf-8") for path in FOLDER.glob("*.txt"))
    assert {code for code in kinds if f"[{code}]" not in shown} == {TOO_LONG}


def test_no_two_kinds_of_mistakes_share_a_code() -> None:
    assert len({kind.code for kind in KINDS}) == len(KINDS)
