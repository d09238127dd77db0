"""Which folder may know which, read from the imports of every file."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("spec", "compiler", "runtime", "bench", "cli")
FILES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))

# A folder to what its files may import of ours, as beginnings of dotted names.
ALLOWED = {
    "spec": ("spec",),
    "runtime": ("runtime",),
    "compiler": ("compiler", "spec", "runtime.plan", "runtime.philox"),
    "compiler/ir": ("compiler.ir", "spec.source", "spec.record"),
    "compiler/ops": ("compiler.ops", "compiler.ir", "compiler.differentiate"),
    "compiler/passes": ("compiler.passes", "compiler.ir", "compiler.ops"),
    "bench": ("bench", "compiler", "runtime", "backends", "program", "specification", "training"),
}
# A folder to the packages besides the standard library that its files may import.
OUTSIDE = {
    "spec": {"yaml"},
    "runtime": {"numpy"},
    "runtime/data": {"numpy", "PIL"},
    "runtime/cupy": {"numpy", "cupy", "cupyx", "cuda"},
    "compiler": {"numpy"},
    "compiler/exchange": {"numpy", "onnx"},
    "bench": {"numpy", "torch", "jax", "onnxruntime"},
    "cli": {"click", "rich", "numpy"},
}


def imported(path: Path) -> Iterator[tuple[bool, str]]:
    """Whether it is ours, and the dotted name, of each import of a file; names of ours begin below the root."""
    package = path.relative_to(ROOT).parts[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Import(names=names):
                yield from ((False, alias.name) for alias in names)
            case ast.ImportFrom(module=module, level=0):
                yield False, module or ""
            case ast.ImportFrom(module=module, names=names, level=level):
                target = (*package[: len(package) - level + 1], *(module.split(".") if module else ()))
                is_folder = ROOT.joinpath(*target).is_dir()
                ends = [(alias.name,) for alias in names] if is_folder else [()]
                yield from ((True, ".".join((*target, *end))) for end in ends)


def innermost(path: Path) -> str | None:
    """The deepest folder of the table that holds the file."""
    folders = [str(folder.relative_to(ROOT)) for folder in path.parents if folder.is_relative_to(ROOT)]
    return next((folder for folder in folders if folder in ALLOWED), None)


def within(name: str, allowed: tuple[str, ...]) -> bool:
    return any(name == a or name.startswith(f"{a}.") for a in allowed)


def mistakes(path: Path) -> Iterator[str]:
    """What a file imports that its folder may not know."""
    folder = innermost(path)
    names = [str(parent.relative_to(ROOT)) for parent in path.parents if parent.is_relative_to(ROOT)]
    outside = next(OUTSIDE[name] for name in names if name in OUTSIDE) | sys.stdlib_module_names
    for ours, name in imported(path):
        if (ours and folder and not within(name, ALLOWED[folder])) or (not ours and name.split(".")[0] not in outside):
            yield f"{path.relative_to(ROOT)} imports {name}"


@pytest.mark.parametrize("package", PACKAGES)
def test_a_file_imports_only_what_its_folder_may_know(package: str) -> None:
    found = [mistake for path in FILES if path.is_relative_to(ROOT / package) for mistake in mistakes(path)]
    assert found == []


def test_only_the_command_line_knows_the_command_line() -> None:
    modules = [path for path in ROOT.glob("*.py") if path.name != "__main__.py"]
    for path in (*modules, *(f for f in FILES if f.relative_to(ROOT).parts[0] != "cli")):
        assert not any(ours and within(name, ("cli",)) for ours, name in imported(path)), path


def loaded(statement: str) -> set[str]:
    """The packages besides the standard library, and our folders, that a statement loads in a new interpreter."""
    code = f"import sys; before = {{*sys.modules}}; {statement}; print(*{{*sys.modules}} - before)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    known = ("_", "cython_runtime")
    parts = [name.split(".") for name in done.stdout.split() if not name.startswith(known)]
    return {".".join(p[:2]) if p[0] == "axonc" else p[0] for p in parts} - sys.stdlib_module_names


def test_running_a_saved_model_loads_numpy_and_the_runtime_alone() -> None:
    assert loaded("import axonc; axonc.load") == {"axonc", "axonc.runtime", "numpy"}


def test_reading_a_spec_loads_neither_numpy_nor_the_compiler() -> None:
    code = "import axonc.spec.load as s; s.read(s.Source('x.yaml', 'axonc: 1\\nname: x\\n'))"
    assert loaded(code) == {"axonc", "axonc.spec", "yaml"}


def test_the_package_list_names_every_folder_of_code() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    folders = {ROOT, *(path.parent for path in FILES)}
    found = {".".join(("axonc", *folder.relative_to(ROOT).parts)) for folder in folders}
    assert set(settings["tool"]["setuptools"]["packages"]) == found
    data = settings["tool"]["setuptools"]["package-data"]
    others = (path for package in PACKAGES for path in (ROOT / package).rglob("*.*"))
    for path in (path for path in others if path.is_file() and path.suffix not in (".py", ".pyc")):
        patterns = data.get(".".join(("axonc", *path.parent.relative_to(ROOT).parts)), [])
        assert any(path.match(pattern) for pattern in patterns), f"{path.name} would not be installed"
