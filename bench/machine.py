"""What a measurement was made on."""

from __future__ import annotations

import platform
import re
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from ..runtime.native import processor
from ..runtime.native.errors import NotNative
from ..runtime.native.objects import user_objects

PACKAGES = ("numpy", "torch", "jax", "onnxruntime")
VECTORS = ("avx512f", "avx2", "asimd")  # abilities that decide about speed, the best first


def facts() -> dict[str, Any]:
    """Processor, its vectors, cores, compiler and versions."""
    told = processor.name()
    model = re.search(r"(?:model name|CPU part)\s*:\s*(.*)", told)
    found = {"processor": model[1].strip() if model else platform.processor()}
    found |= {"family": _number("cpu family", told), "model": _number("model", told)}
    vectors = next((name for name in VECTORS if re.search(rf"\b{name}\b", told)), "")
    versions = {name: v for name in PACKAGES if (v := _version(name))}
    return found | {
        "vectors": vectors,
        "cores": processor.cores(),
        "compiler": _compiler(),
        "python": platform.python_version(),
        **versions,
    }


def _number(name: str, told: str) -> int | None:
    match = re.search(rf"^{name}\s*:\s*(\d+)$", told, re.MULTILINE)
    return int(match[1]) if match else None


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _compiler() -> str:
    try:
        return user_objects().toolchain.version
    except NotNative as reason:
        return f"none: {str(reason).splitlines()[0]}"
