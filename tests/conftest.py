"""What all tests share: golden files, and the option that writes them anew."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

# Matrices are small and cores shared: two BLAS threads that wait for each other cost more than they give. NumPy reads
# this when it is imported, which is after this file.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# Machines are shared, so no single example has a time limit.
settings.register_profile("ordinary", deadline=None)
settings.register_profile("nightly", deadline=None, max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ordinary"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write golden files anew from what is found")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[Path, str], None]:
    """Compares a text with a golden file, or writes the file under `--update-golden`."""

    def check(path: Path, found: str) -> None:
        if request.config.getoption("--update-golden"):
            path.write_text(found, encoding="utf-8")
        assert path.read_text(encoding="utf-8") == found, f"{path} differs; `--update-golden` writes it anew"

    return check
