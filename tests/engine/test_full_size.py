"""A checkpoint of Stable Diffusion 1.5's full size, as people have them: 2 GB, random weights."""

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import webui
from modules.api.sdapi_models import Txt2ImgBody
from modules.engine.engine import Engine
from modules.jobs.process import ProcessBackend
from modules.schema.events import EngineEvent, Finished, Job, Painted
from modules.settings import load_settings
from modules.storage.infotext import write_infotext
from tests.engine.checkpoints import FULL_SIZE_HASH, write_checkpoint
from tests.engine.conftest import build, paint, request_for

GOLDEN = Path(__file__).parent / "golden"
CASES = json.loads((GOLDEN / "cases.json").read_text())
NAME = "sd15-random.safetensors"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def full_size(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A data folder that holds nothing but the full-size checkpoint."""
    folder = tmp_path_factory.mktemp("full")
    file = write_checkpoint(folder / "models" / "Stable-diffusion" / NAME)
    yield folder
    file.unlink()


def test_it_loads_from_the_folder_and_makes_a_finite_picture(
    full_size: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    backend = ProcessBackend(partial(webui.build_engine, load_settings({"data_dir": full_size}, {})))
    events: list[EngineEvent] = []
    request = request_for("a photo of a cat", 1, checkpoint=NAME, width=256, height=256, steps=1)
    try:
        backend.run(Job("full", request), events.append)
        peak = _peak_memory(backend.pid)
    finally:
        backend.close()
    painted = next(event for event in events if isinstance(event, Painted))
    finished = next(event for event in events if isinstance(event, Finished))
    assert np.asarray(painted.picture.image()).std() > 1
    assert painted.environment.checkpoint.short_hash == FULL_SIZE_HASH
    with capsys.disabled():
        runtime, timings = finished.result.environment.runtime, finished.result.timings
        print(f"\nfull-size checkpoint: {timings.total:.1f} s at one step in {runtime.dtype}, peak memory {peak} GB")


@pytest.fixture(scope="module")
def exact_engine(full_size: Path) -> Engine:
    return build(full_size, precision="full", device="cpu")


@pytest.mark.parametrize("case", list(CASES))
def test_pictures_equal_those_that_automatic1111_painted(exact_engine: Engine, case: str) -> None:
    wire, pictures = CASES[case]["request"], CASES[case]["pictures"]
    request = Txt2ImgBody(**wire).request().model_copy(update={"checkpoint": NAME})
    painted = paint(exact_engine, request)
    assert len(painted) == len(pictures)
    for ours, name in zip(painted, pictures, strict=True):
        with Image.open(GOLDEN / name) as golden:
            wanted = np.asarray(golden.convert("RGB")).astype(int)
        differences = np.abs(np.asarray(ours.picture.image()).astype(int) - wanted)
        assert (differences <= 1).mean() >= 0.999
    theirs = (GOLDEN / CASES[case]["infotext"]).read_text().partition("\n---\n")[0].strip()
    ours_text = write_infotext(request, painted[0])
    assert _without_version(ours_text) == _without_version(theirs)


def _without_version(infotext: str) -> str:
    """Theirs names its version last; ours also says that noise comes from the CPU, which they leave out."""
    return infotext.rpartition(", Version: ")[0].removesuffix(", RNG: CPU")


def _peak_memory(pid: int | None) -> str:
    status = Path(f"/proc/{pid}/status")
    if not status.is_file():
        return "unknown (no /proc)"
    lines = status.read_text().splitlines()
    kilobytes = int(next(line for line in lines if line.startswith("VmHWM")).split()[1])
    return f"{kilobytes / 2**20:.1f}"
