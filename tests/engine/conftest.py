"""The real engine, as a worker builds it."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from PIL import Image

import webui
from modules.engine.engine import Engine
from modules.schema.events import Job, Painted, Progress
from modules.schema.requests import Request, Sampling, Txt2Img
from modules.settings import load_settings


def build(data_dir: Path, **flags: object) -> Engine:
    engine = webui.build_engine(load_settings({"data_dir": data_dir, **flags}, {}))
    assert isinstance(engine, Engine)
    engine.prepare()
    return engine


@pytest.fixture(scope="session")
def engine(shared_data_dir: Path) -> Engine:
    """In this machine's own precision, on the demo checkpoint."""
    return build(shared_data_dir)


def request_for(prompt: str, seed: int = 0, **values: object) -> Txt2Img:
    """A resolved request to the demo checkpoint."""
    sampling = Sampling(**{name: values.pop(name) for name in Sampling.model_fields if name in values})  # type: ignore
    defaults: dict[str, object] = {"width": 128, "height": 128, "checkpoint": "demo.safetensors"}
    return Txt2Img(prompt=prompt, seed=seed, sampling=sampling, **{**defaults, **values})  # type: ignore


def paint(
    engine: Engine, request: Request, finished: int = 0, inputs: Mapping[str, bytes] | None = None
) -> list[Painted]:
    """The pictures of a job."""
    painted: list[Painted] = []
    engine.run(
        Job("test", request, finished, inputs=inputs or {}),
        lambda event: painted.append(event) if _is_painted(event) else None,
    )
    return painted


def images(engine: Engine, request: Txt2Img) -> list[Image.Image]:
    return [event.picture.image() for event in paint(engine, request)]


def _is_painted(event: Progress | Painted) -> bool:
    return isinstance(event, Painted)


@pytest.fixture
def listening() -> tuple[list[Progress | Painted], Callable[[Progress | Painted], None]]:
    """A list, and a report that fills it."""
    events: list[Progress | Painted] = []
    return events, events.append
