"""The runtime stands alone: it imports nothing of ours from outside, and little until it is asked."""

import ast
import subprocess
import sys
from pathlib import Path

import axonc.runtime
import pytest

ROOT = Path(axonc.runtime.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
# The only files that know CuPy and what it brings, and Pillow, which are loaded where they are asked for.
OTHERS = {"cupy/nvidia.py": {"cupy", "cupyx", "cuda"}, "data/pillow.py": {"PIL"}}


@pytest.mark.parametrize("path", FILES, ids=[str(path.relative_to(ROOT)) for path in FILES])
def test_a_file_imports_the_runtime_numpy_and_the_standard_library_alone(path: Path) -> None:
    depth = len(path.relative_to(ROOT).parts)
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level <= depth
            names = [] if node.level else [node.module or ""]
        else:
            continue
        for name in names:
            others = OTHERS.get(path.relative_to(ROOT).as_posix(), set())
            assert name.split(".")[0] in {*sys.stdlib_module_names, "numpy", *others}


def test_importing_the_runtime_loads_nothing_and_reading_weights_loads_little() -> None:
    code = "import sys; {}; print(*(name for name in sys.modules if name.startswith('axonc')))"

    def loaded(statement: str) -> set[str]:
        done = subprocess.run(
            [sys.executable, "-c", code.format(statement)], capture_output=True, text=True, check=True
        )
        return {name for name in done.stdout.split() if not name.startswith("axonc.__")}

    assert loaded("import axonc.runtime") == {"axonc", "axonc.runtime"}
    assert loaded("import axonc.runtime.archive") == {
        "axonc",
        *(f"axonc.runtime{name}" for name in ("", ".archive", ".errors", ".files")),
    }
