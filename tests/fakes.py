"""An engine that paints one-coloured pictures. The words of its prompt say what happens on the way."""

import os
import signal
import time
from pathlib import Path

from modules.schema.errors import KararliError
from modules.schema.events import Job, Painted, PictureSkipped, Progress, Report
from modules.schema.media import Picture
from modules.schema.results import CheckpointRecord, Environment, Result, Runtime, Timings
from tests.waiting import wait_until


class FakeEngine:
    """Tells its process id as the device's name, and understands these words of a prompt:

    `slow` takes 50 ms a step; `hold:FILE` waits before each step while FILE is there; `fail` and `bug` end the job with
    a sentence or with a fault; `crash:FILE` kills the process over the last picture as often as FILE has letters.
    """

    def prepare(self) -> Runtime:
        return Runtime(device="cpu", device_name=str(os.getpid()), dtype="float32", attention="sdpa", torch="none")

    def run(self, job: Job, report: Report) -> Result:
        request, count, steps = job.request, job.request.picture_count, job.request.sampling.steps
        checkpoint = CheckpointRecord(name=request.checkpoint, sha256="0123456789abcdef" * 4)
        environment = Environment(runtime=self.prepare(), checkpoint=checkpoint)
        report(Progress("Loading", job.finished / count, job.finished, count))
        for first in range(job.finished, count, request.batch_size):
            batch = range(first, min(first + request.batch_size, count))
            try:
                for step in range(1, steps + 1):
                    obey(request.prompt, last=batch[-1] == count - 1)
                    done = (first + len(batch) * step / steps) / count
                    report(Progress("Painting", done, first, count, step, steps, 1.5, b"a small JPEG"))
            except PictureSkipped:
                continue
            for index in batch:
                seed = request.seed_of(index)
                report(Painted(index, seed, paint(seed, *request.size), environment, index == batch[-1]))
        return Result(request=request, environment=environment, timings=Timings(total=1.0))


class UnpreparedEngine(FakeEngine):
    """An engine that can be built, and then finds nothing to run on. Leaves a letter in a file each time."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def prepare(self) -> Runtime:
        with self._file.open("a") as file:
            file.write("x")
        raise KararliError("The fake engine finds no device.")


def build_nothing() -> FakeEngine:
    """An engine that cannot be built."""
    raise KararliError("The fake engine is not to be had.")


def build_with_bug() -> FakeEngine:
    """An engine whose building has a fault."""
    raise ValueError("a bug")


def obey(prompt: str, last: bool) -> None:
    """Do what the prompt says before a step, of the last picture or of an earlier one."""
    words = dict((word + ":").split(":")[:2] for word in prompt.split())
    if "slow" in words:
        time.sleep(0.05)
    if "fail" in words:
        raise KararliError("The fake engine was told to fail.")
    if "bug" in words:
        raise ValueError("a bug")
    if "hold" in words:
        wait_until(lambda: not Path(words["hold"]).exists())
    if "crash" in words and last and (letters := Path(words["crash"]).read_text()):
        Path(words["crash"]).write_text(letters[1:])
        os.kill(os.getpid(), signal.SIGKILL)


def paint(seed: int, width: int = 64, height: int = 64) -> Picture:
    """What the fake engine makes of a seed."""
    return Picture(width, height, bytes((seed % 256, seed // 256 % 256, 128)) * (width * height))
