"""What our device asks of CuPy, CuPy has: each call binds to the signature that CuPy declares. No GPU is needed."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
import warnings
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from axonc.cli.main import run
from axonc.runtime.cupy import nvidia

cupy: Any = None
with warnings.catch_warnings(), suppress(ImportError):
    warnings.simplefilter("ignore")
    import cupy  # type: ignore[no-redef]

needs_cupy = pytest.mark.skipif(cupy is None, reason="CuPy is not installed (pip install '.[cuda-test]')")
SPEC = Path(__file__).parents[2] / "examples" / "iris" / "iris.yaml"

# What stands before the last name of a call in `nvidia.py`, to the object of CuPy that it is.
OBJECTS = {
    "self.runtime": "cuda.runtime",
    "cupy.cuda.runtime": "cuda.runtime",
    "self.cupy": "",
    "cupy.cuda": "cuda",
    "cupy.cuda.Device()": "cuda.Device",
    "self.cupy.cuda": "cuda",
    "self.work": "cuda.Stream",
    "self.sending": "cuda.Stream",
    "graph": "cuda.Graph",
    "module": "RawModule",
}


def calls() -> Iterator[tuple[str, str, ast.Call]]:
    """The object, the name and the call of everything that `nvidia.py` asks of CuPy."""
    source = Path(nvidia.__file__).read_text(encoding="utf-8")
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            before = ast.unparse(node.func.value)
            if before in OBJECTS:
                yield OBJECTS[before], node.func.attr, node


def resolved(path: str) -> Any:
    found = cupy
    for name in filter(None, path.split(".")):
        found = getattr(found, name)
    return found


def signature(function: Any, name: str) -> inspect.Signature:
    """What Python knows of it, or what stands in the first line of its manual page, as Cython writes it there."""
    target = function.__init__ if inspect.isclass(function) and function.__init__ is not object.__init__ else function
    try:
        found = inspect.signature(target)
        if str(found) not in ("(self, /, *args, **kwargs)", "(*args, **kwargs)"):
            return found
    except (TypeError, ValueError):
        pass
    declared = re.match(
        rf"(?:\w+\.)*{name}\((.*?)\)(?: -> .*)?$", (function.__doc__ or "").strip().split("\n\n")[0], re.S
    )
    assert declared, f"{name}: {function.__doc__}"
    plain = [re.sub(r"^(?:[\w.]+ )+(?=\w+)", "", part.strip()) for part in declared[1].split(",") if part.strip()]
    scope: dict[str, Any] = {}
    exec(f"def f({', '.join(plain)}): pass", scope)
    return inspect.signature(scope["f"])


@needs_cupy
@pytest.mark.parametrize(("path", "name", "call"), list(calls()), ids=lambda x: x if isinstance(x, str) else "")
def test_a_call_of_cupy_binds_to_its_signature(path: str, name: str, call: ast.Call) -> None:
    owner = resolved(path)
    found = signature(getattr(owner, name), name)
    is_method = inspect.isclass(owner) or (inspect.isclass(getattr(owner, name)) and "self" in found.parameters)
    given: list[Any] = [*([None] if "self" in found.parameters and is_method else []), *call.args]
    found.bind(*given, **{k.arg: k.value for k in call.keywords if k.arg})


@needs_cupy
def test_attributes_and_constants_of_cupy_are_there() -> None:
    for name in ("memcpyHostToDevice", "memcpyDeviceToDevice", "memcpyDeviceToHost", "CUDARuntimeError"):
        assert hasattr(cupy.cuda.runtime, name)
    assert issubclass(cupy.cuda.memory.OutOfMemoryError, MemoryError)
    assert hasattr(cupy.cuda.Memory, "ptr")
    assert hasattr(cupy.cuda.Stream, "__enter__")
    assert list(signature(cupy.RawKernel.__call__, "__call__").parameters)[:4] == ["self", "grid", "block", "args"]


@needs_cupy
@pytest.mark.skipif(cupy is not None and cupy.is_available(), reason="there is a GPU here")
def test_without_a_gpu_training_on_one_ends_with_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    nvidia.nvidia.cache_clear()
    assert run(["train", str(SPEC), "--backend", "cupy"]) == 5
    said = capsys.readouterr().err
    assert "error[no-gpu]: CuPy finds no GPU that it can use: " in said
    assert "--backend native" in said
    assert len(said.strip().splitlines()) == 2


def test_without_cupy_training_on_a_gpu_ends_with_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "cupy.py").write_text("raise ImportError('No module named cupy')")
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from axonc.cli.main import main; main()"
    command = [sys.executable, "-c", code, "train", str(SPEC), "--backend", "cupy"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 5, done.stderr
    assert "error[no-cupy]: CuPy cannot be loaded: No module named cupy" in done.stderr
    assert "axonc[cuda12]" in done.stderr
