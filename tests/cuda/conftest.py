"""What the tests of kernels share: one folder for what is compiled, for all processes of a run."""

import pytest

from . import standin


@pytest.fixture(scope="session", autouse=True)
def folder(tmp_path_factory: pytest.TempPathFactory) -> None:
    """With several processes the folder above is that of the run."""
    base = tmp_path_factory.getbasetemp()
    standin.FOLDER = (base.parent if base.name.startswith("popen-") else base) / "standin"
    standin.FOLDER.mkdir(exist_ok=True)
