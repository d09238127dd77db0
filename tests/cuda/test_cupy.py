"""What our device asks of CuPy, CuPy has: each call binds to the signature that CuPy declares. No GPU is needed."""

from __future__ import annotations

import ast
import importlib.util
import inspect
import re
import subprocess
import sys
import warnings
from collections.abc import Iterator
from contextlib import suppress
from ctypes import POINTER, c_int, c_longlong, c_size_t, c_void_p
from pathlib import Path
from typing import Any

import pytest
from axonc.cli.main import run
from axonc.runtime.cupy import nvidia
from axonc.runtime.cupy.cublas import DEFAULT, FUNCTIONS, KINDS, TF32, WIDE_SUMS

cupy: Any = None
cupy_backends: Any = None
pathfinder: Any = None
with warnings.catch_warnings(), suppress(ImportError):
    warnings.simplefilter("ignore")
    import cupy  # type: ignore[no-redef]
    import cupy_backends  # type: ignore[no-redef]
    from cuda import pathfinder  # type: ignore[no-redef]

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
    "pathfinder": "pathfinder",
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
    if path == "pathfinder":
        return pathfinder
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
    assert issubclass(pathfinder.DynamicLibNotFoundError, Exception)
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


C_TYPES = {c_void_p: "intptr_t size_t", c_int: "int", c_longlong: "long long"}


@needs_cupy
@pytest.mark.parametrize("name", ["gemmEx", "gemmStridedBatchedEx"])
def test_products_take_the_arguments_that_cupy_gives_them(name: str) -> None:
    """CuPy's module of cuBLAS cannot be loaded without it, but holds the lines of its manual."""
    (module,) = Path(cupy_backends.__file__).parent.glob("cuda/libs/cublas.*")
    declared = re.search(rf"\b{name}\((.*?)\)".encode(), module.read_bytes())
    assert declared
    types = [part.strip().rsplit(" ", 1)[0] for part in declared[1].decode().split(",")]
    ours = FUNCTIONS[f"cublas{name[0].upper()}{name[1:]}"]
    assert len(types) == len(ours)
    assert all(given in C_TYPES[own] for own, given in zip(ours, types, strict=True))


@needs_cupy
def test_types_have_the_numbers_of_cuda() -> None:
    numbers = {"f32": "CUDA_R_32F", "f64": "CUDA_R_64F", "f16": "CUDA_R_16F", "bf16": "CUDA_R_16BF"}
    assert {n: kind.type for n, kind in KINDS.items()} == {n: getattr(cupy.cuda.runtime, c) for n, c in numbers.items()}


def header() -> str | None:
    """The declarations of cuBLAS, where it is installed."""
    spec = importlib.util.find_spec("nvidia")
    for base in spec.submodule_search_locations or () if spec else ():
        for path in Path(base).glob("*/include/cublas_api.h"):
            return path.read_text(encoding="utf-8")
    return None


HEADER = header()
needs_header = pytest.mark.skipif(HEADER is None, reason="cuBLAS is not installed (part of axonc[cuda12])")


@needs_header
@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_of_cublas_is_called_as_its_header_declares_it(name: str) -> None:
    declared = re.search(rf"CUBLASWINAPI {name}\((.*?)\);", HEADER or "", re.S)
    assert declared
    ours = FUNCTIONS[name]
    theirs = [" ".join(part.split()) for part in declared[1].split(",")]
    assert len(theirs) == len(ours)
    for own, given in zip(ours, theirs, strict=True):
        pointer = "*" in given or re.match(r"cublasHandle_t|cudaStream_t", given)
        whole = "long long" if own is c_longlong else "size_t" if own is c_size_t else "int |cublas\\w+_t |cuda\\w+ "
        assert (own in (c_void_p, POINTER(c_void_p))) == bool(pointer), given
        assert pointer or re.match(whole, given), given


@needs_header
def test_the_numbers_of_cublas_are_those_of_its_header() -> None:
    numbers = {n: int(v) for n, v in re.findall(r"\b(CUBLAS_\w+) = (-?\d+)", HEADER or "")}
    assert numbers["CUBLAS_GEMM_DEFAULT"] == DEFAULT
    assert numbers["CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION"] == WIDE_SUMS
    computes = {"f32": "CUBLAS_COMPUTE_32F", "f16": "CUBLAS_COMPUTE_32F", "bf16": "CUBLAS_COMPUTE_32F"}
    computes |= {"f64": "CUBLAS_COMPUTE_64F"}
    assert {n: kind.compute for n, kind in KINDS.items()} == {n: numbers[c] for n, c in computes.items()}
    assert numbers["CUBLAS_COMPUTE_32F_FAST_TF32"] == TF32
    assert (numbers["CUBLAS_OP_N"], numbers["CUBLAS_OP_T"]) == (0, 1)
