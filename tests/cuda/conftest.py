"""What the tests of kernels share: the devices that they run on, and one folder for what is compiled in a run."""

import pytest
from axonc.runtime.cupy.device import Device
from axonc.runtime.cupy.errors import NoDevice
from axonc.runtime.cupy.nvidia import nvidia

from . import standin


@pytest.fixture(scope="session", autouse=True)
def folder(tmp_path_factory: pytest.TempPathFactory) -> None:
    """With several processes the folder above is that of the run."""
    base = tmp_path_factory.getbasetemp()
    standin.FOLDER = (base.parent if base.name.startswith("popen-") else base) / "standin"
    standin.FOLDER.mkdir(exist_ok=True)


def gpu() -> Device:
    """The GPU of this machine; without one the test is skipped."""
    try:
        return nvidia()
    except NoDevice as reason:
        pytest.skip(f"there is no GPU here: {reason.code}")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Whatever lacks a GPU is skipped in one place, and so counted in one line."""
    if item.get_closest_marker("gpu"):
        gpu()


ON_GPU = pytest.param("gpu", marks=pytest.mark.gpu)


@pytest.fixture(params=[pytest.param("standin", marks=standin.needs_compiler), ON_GPU])
def device(request: pytest.FixtureRequest) -> Device:
    """What a test runs on everywhere, and with `-m gpu` on a GPU."""
    return gpu() if request.param == "gpu" else standin.Standin()
