"""The real program, killed in the middle of an animation: what comes out is what a run without a break gives."""

import json
import os
import signal
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from modules.schema.animation import Filming, Keyframe
from modules.schema.requests import Interpolate, Sampling
from tests.browser.conftest import Program, started, wait_for
from tests.conftest import make_data_dir

REQUEST = Interpolate(
    keyframes=(
        Keyframe(prompt="a red circle on a white background"),
        Keyframe(time=4.75, prompt="a blue square on a white background"),
    ),
    filming=Filming(fps=4), sampling=Sampling(steps=8, sampler="Euler a"), width=128, height=128, seed=3, batch_size=4,
)  # fmt: skip
FRAMES = 20


def asked(program: Program, path: str, body: dict[str, Any] | None = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{program.url}/kararli/v1/{path}", data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        content = answer.read()
        return json.loads(content) if answer.headers["Content-Type"] == "application/json" else content


def submit(program: Program, name: str) -> None:
    wait_for(lambda: "Kararli is at" in program.log.read_text(), "the API beside the page")
    asked(program, "jobs", {"request": REQUEST.model_dump(mode="json"), "id": name})


def frames(program: Program, name: str) -> int:
    return len(list((program.data_dir / "outputs" / ".frames" / name).glob("*.png")))


def clip(program: Program, name: str) -> bytes:
    wait_for(lambda: asked(program, f"jobs/{name}")["state"] in ("done", "failed"), f"the end of {name}")
    assert asked(program, f"jobs/{name}")["clip"]["frames"] == FRAMES
    return asked(program, f"jobs/{name}/clip")


@pytest.mark.slow
def test_a_killed_worker_and_a_killed_program_change_no_byte_of_the_clip(tmp_path: Path) -> None:
    data_dir = make_data_dir(tmp_path / "data")
    with started(data_dir) as program:
        submit(program, "whole")
        whole = clip(program, "whole")
        submit(program, "worker")
        wait_for(lambda: frames(program, "worker") >= 7, "seven frames")
        os.kill(program.engine_pid(), signal.SIGKILL)
        assert frames(program, "worker") < FRAMES
        assert clip(program, "worker") == whole
        submit(program, "program")
        wait_for(lambda: frames(program, "program") >= 12, "twelve frames")
        program.process.kill()
        program.process.wait()
        assert frames(program, "program") < FRAMES
    with started(data_dir) as program:
        wait_for(lambda: "Kararli is at" in program.log.read_text(), "the API beside the page")
        assert clip(program, "program") == whole
