"""Backends of each kind, ended when the test ends."""

import uuid
from collections.abc import Callable, Iterator

import pytest

from modules.jobs.backend import Backend, BuildEngine
from modules.jobs.cluster import RayBackend
from modules.jobs.inline import InlineBackend
from modules.jobs.process import ProcessBackend
from modules.settings import REPOSITORY
from tests.fakes import FakeEngine

KINDS = {"inline": InlineBackend, "process": ProcessBackend, "ray": RayBackend}

OpenBackend = Callable[..., Backend]


@pytest.fixture(scope="session")
def cluster() -> Iterator[None]:
    """One small cluster on this machine for all tests, which backends find and leave open."""
    ray = pytest.importorskip("ray")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_AUTH_TOKEN", uuid.uuid4().hex)  # else one is written into the home folder
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("PYTHONPATH", str(REPOSITORY))
        ray.init(
            address="local",
            num_cpus=8,
            num_gpus=0,
            include_dashboard=False,
            configure_logging=False,
            log_to_driver=False,
        )
        yield
        ray.shutdown()


@pytest.fixture
def open_backend(request: pytest.FixtureRequest) -> Iterator[OpenBackend]:
    """Starts a backend of the kind that the test is parametrised with ("process" when it is not)."""
    kind: str = getattr(request, "param", "process")
    if kind == "ray":
        request.getfixturevalue("cluster")
    opened: list[Backend] = []

    def open_one(build: BuildEngine = FakeEngine) -> Backend:
        backend = KINDS[kind](build)
        opened.append(backend)
        backend.start()
        return backend

    yield open_one
    for backend in opened:
        backend.close()


@pytest.fixture
def backend(open_backend: OpenBackend) -> Backend:
    """One with the fake engine."""
    return open_backend()
