"""What many tests need: a data folder of their own, and the engine on the checkpoint that ships."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import hypothesis
import pytest

from modules.catalog.checkpoints import DEFAULT
from modules.settings import REPOSITORY, Settings, load_settings

hypothesis.settings.register_profile(
    "everywhere",
    deadline=None,  # a busy machine is no fault
    database=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("everywhere")

DEMO = REPOSITORY / "models" / "Stable-diffusion" / DEFAULT


def make_data_dir(folder: Path) -> Path:
    """A data folder with the demo checkpoint in it."""
    checkpoints = folder / "models" / "Stable-diffusion"
    checkpoints.mkdir(parents=True)
    try:
        os.link(DEMO, checkpoints / DEFAULT)
    except OSError:
        shutil.copy(DEMO, checkpoints / DEFAULT)
    return folder


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return make_data_dir(tmp_path / "data")


@pytest.fixture
def settings(data_dir: Path) -> Settings:
    return load_settings({"data_dir": data_dir}, {})


@pytest.fixture(scope="session")
def shared_data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_data_dir(tmp_path_factory.mktemp("shared") / "data")


@pytest.fixture
def make_settings() -> Callable[..., Settings]:
    """Settings from flags alone, whatever the environment says."""
    return lambda **flags: load_settings(flags, {})
