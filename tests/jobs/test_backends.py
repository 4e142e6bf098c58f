"""The contract of the backends, over all of them."""

import os
import signal
import socket
import subprocess
import sys
import uuid
from functools import partial
from pathlib import Path

import pytest

from modules.jobs.backend import Backend
from modules.jobs.cluster import RayBackend
from modules.schema.errors import WorkerDied
from modules.schema.events import (
    TERMINAL,
    Cancelled,
    EngineEvent,
    Failed,
    Finished,
    Job,
    Painted,
    Progress,
    Stop,
)
from modules.schema.requests import Sampling, Txt2Img
from modules.settings import REPOSITORY
from tests.fakes import FakeEngine, UnpreparedEngine, build_nothing, build_with_bug, paint
from tests.jobs.conftest import OpenBackend
from tests.waiting import Background, wait_until

everywhere = pytest.mark.parametrize("open_backend", ["inline", "process", "ray"], indirect=True)
apart = pytest.mark.parametrize("open_backend", ["process", "ray"], indirect=True)


def make_job(
    prompt: str = "", pictures: int = 1, steps: int = 2, seed: int = 7, finished: int = 0, size: int = 64
) -> Job:
    request = Txt2Img(
        prompt=prompt,
        checkpoint="demo.safetensors",
        width=size,
        height=size,
        seed=seed,
        batch_count=pictures,
        sampling=Sampling(steps=steps),
    )
    return Job(uuid.uuid4().hex, request, finished)


class Run:
    """A job that runs in the background, and what has been heard of it."""

    def __init__(self, backend: Backend, job: Job) -> None:
        self.events: list[EngineEvent] = []
        self._background = Background(lambda: backend.run(job, self.events.append))

    def wait_for_step(self) -> None:
        wait_until(lambda: any(isinstance(event, Progress) and event.step > 0 for event in self.events))

    def join(self) -> list[EngineEvent]:
        self._background.join()
        return self.events


def run(backend: Backend, job: Job) -> list[EngineEvent]:
    return Run(backend, job).join()


def painted(events: list[EngineEvent]) -> list[int]:
    return [event.index for event in events if isinstance(event, Painted)]


def process_of(backend: Backend) -> int:
    """The process in which the engine is, once it is ready."""
    wait_until(lambda: backend.status().ready)
    runtime = backend.status().runtime
    assert runtime is not None
    return int(runtime.device_name)


@everywhere
def test_events_come_in_order_and_end_with_the_only_end(backend: Backend) -> None:
    job = make_job(pictures=2)
    *events, end = run(backend, job)
    assert isinstance(end, Finished)
    assert end.result.request == job.request
    assert not any(isinstance(event, TERMINAL) for event in events)
    assert painted(events) == [0, 1]
    shares = [event.done for event in events if isinstance(event, Progress)]
    assert shares == sorted(shares)
    steps = [(event.picture, event.step) for event in events if isinstance(event, Progress)]
    assert steps == [(0, 0), (0, 1), (0, 2), (1, 1), (1, 2)]


@everywhere
def test_pictures_arrive_as_they_were_painted(backend: Backend) -> None:
    events = run(backend, make_job(pictures=3, seed=500))
    pictures = {event.seed: event.picture for event in events if isinstance(event, Painted)}
    assert pictures == {seed: paint(seed) for seed in (500, 501, 502)}


@everywhere
def test_large_pictures_arrive_whole(backend: Backend) -> None:
    events = run(backend, make_job(size=2048))
    assert [event.picture for event in events if isinstance(event, Painted)] == [paint(7, 2048, 2048)]


@everywhere
def test_pictures_of_an_earlier_attempt_are_not_made_again(backend: Backend) -> None:
    events = run(backend, make_job(pictures=3, finished=2))
    assert painted(events) == [2]
    assert isinstance(events[-1], Finished)


@everywhere
def test_status_tells_when_the_engine_is_ready_and_on_what_it_runs(backend: Backend) -> None:
    wait_until(lambda: backend.status().ready)
    runtime = backend.status().runtime
    assert runtime is not None
    assert runtime.device == "cpu"
    assert backend.status().problem == ""


@everywhere
@pytest.mark.parametrize(
    ("how", "kept", "end"),
    [(Stop.NOW, [], Cancelled), (Stop.AFTER_PICTURE, [0], Cancelled), (Stop.SKIP, [1], Finished)],
    ids=["now", "after picture", "skip"],
)
def test_a_running_job_is_stopped_as_asked(backend: Backend, how: Stop, kept: list[int], end: type) -> None:
    job = make_job("slow", pictures=2, steps=15)
    running = Run(backend, job)
    running.wait_for_step()
    backend.stop(job.id, how)
    events = running.join()
    assert painted(events) == kept
    assert isinstance(events[-1], end)


@everywhere
@pytest.mark.parametrize(
    ("how", "kept", "end"),
    [(Stop.NOW, [], Cancelled), (Stop.AFTER_PICTURE, [0], Cancelled), (Stop.SKIP, [1], Finished)],
    ids=["now", "after picture", "skip"],
)
def test_a_wish_that_comes_before_its_job_is_kept_for_it(
    backend: Backend, how: Stop, kept: list[int], end: type
) -> None:
    job = make_job("slow", pictures=2, steps=4)
    backend.stop(job.id, how)
    events = run(backend, job)
    assert painted(events) == kept
    assert isinstance(events[-1], end)


@everywhere
def test_a_wish_for_another_job_does_nothing(backend: Backend) -> None:
    job = make_job("slow", pictures=2)
    running = Run(backend, job)
    running.wait_for_step()
    backend.stop("another", Stop.NOW)
    events = running.join()
    assert painted(events) == [0, 1]
    assert isinstance(events[-1], Finished)


@everywhere
def test_an_error_for_the_user_is_the_jobs_end_and_the_next_job_runs(backend: Backend) -> None:
    assert run(backend, make_job("fail"))[-1] == Failed("The fake engine was told to fail.")
    assert isinstance(run(backend, make_job())[-1], Finished)


@everywhere
def test_a_fault_in_the_engine_is_the_jobs_end_and_the_next_job_runs(backend: Backend) -> None:
    end = run(backend, make_job("bug"))[-1]
    assert isinstance(end, Failed)
    assert "ValueError: a bug" in end.reason
    assert "report it" in end.reason
    assert isinstance(run(backend, make_job())[-1], Finished)


@everywhere
def test_an_engine_that_cannot_be_built_tells_why(open_backend: OpenBackend) -> None:
    backend = open_backend(build_nothing)
    with pytest.raises(WorkerDied, match=r"^The fake engine is not to be had\.$"):
        run(backend, make_job())
    assert backend.status().problem == "The fake engine is not to be had."
    assert not backend.status().ready


@everywhere
def test_a_fault_while_the_engine_is_built_is_told_too(open_backend: OpenBackend) -> None:
    backend = open_backend(build_with_bug)
    with pytest.raises(WorkerDied, match=r"\.$"):
        run(backend, make_job())
    assert backend.status().problem.startswith("The engine")


@everywhere
def test_an_engine_that_cannot_be_prepared_is_tried_again_for_each_job_only(
    open_backend: OpenBackend, tmp_path: Path
) -> None:
    tries = tmp_path / "tries"
    backend = open_backend(partial(UnpreparedEngine, tries))
    wait_until(lambda: backend.status().problem)
    for _ in range(2):
        with pytest.raises(WorkerDied, match=r"^The fake engine finds no device\.$"):
            run(backend, make_job())
    backend.close()
    assert len(tries.read_text()) <= 3  # at the start, and for two jobs; the first may still meet the start's


@everywhere
def test_a_listener_that_fails_does_not_disturb_the_next_job(backend: Backend) -> None:
    def fail(_event: EngineEvent) -> None:
        raise RuntimeError("no room")

    with pytest.raises(RuntimeError, match="no room"):
        backend.run(make_job("slow", pictures=2, steps=100, seed=100), fail)
    events = run(backend, make_job(seed=200))
    assert [event.seed for event in events if isinstance(event, Painted)] == [200]
    assert isinstance(events[-1], Finished)


@everywhere
def test_close_ends_the_job_that_runs(backend: Backend) -> None:
    running = Run(backend, make_job("slow", steps=150, pictures=100))
    running.wait_for_step()
    backend.close()
    try:
        assert isinstance(running.join()[-1], Cancelled)
    except WorkerDied:
        assert not any(isinstance(event, TERMINAL) for event in running.events)


@everywhere
def test_a_closed_backend_runs_nothing_and_can_be_closed_again(backend: Backend) -> None:
    run(backend, make_job())
    backend.close()
    backend.close()
    assert not backend.status().ready
    with pytest.raises(WorkerDied):
        run(backend, make_job())


@apart
def test_the_engine_is_in_a_process_of_its_own(backend: Backend) -> None:
    assert process_of(backend) != os.getpid()


@apart
def test_a_worker_that_dies_over_a_job_is_told_and_the_next_job_has_a_new_one(backend: Backend) -> None:
    first = process_of(backend)
    running = Run(backend, make_job("slow", pictures=2, steps=30))
    wait_until(lambda: painted(running.events))
    os.kill(first, signal.SIGKILL)
    with pytest.raises(WorkerDied, match=r"\.$"):
        running.join()
    assert not any(isinstance(event, TERMINAL) for event in running.events)
    assert painted(run(backend, make_job(pictures=2))) == [0, 1]
    assert process_of(backend) != first


@pytest.mark.parametrize("open_backend", ["process"], indirect=True)
def test_all_that_a_worker_said_before_its_death_is_heard(backend: Backend, tmp_path: Path) -> None:
    crashes = tmp_path / "crashes"
    crashes.write_text("x")
    heard: list[EngineEvent] = []
    with pytest.raises(WorkerDied, match=r"SIGKILL.*memory"):
        backend.run(make_job(f"crash:{crashes}", pictures=3), heard.append)
    assert painted(heard) == [0, 1]


@apart
def test_a_worker_that_dies_while_idle_is_replaced_at_once(backend: Backend) -> None:
    first = process_of(backend)
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: not backend.status().ready or process_of(backend) != first)
    assert process_of(backend) != first
    assert backend.status().problem == ""


@apart
def test_one_death_costs_one_attempt_at_most(backend: Backend) -> None:
    """Also when the job comes in the moment between the death and the news of it."""
    os.kill(process_of(backend), signal.SIGKILL)
    deaths = 0
    for _ in range(2):
        try:
            events = run(backend, make_job())
            break
        except WorkerDied:
            deaths += 1
    assert deaths <= 1
    assert isinstance(events[-1], Finished)


@apart
def test_a_closed_backend_leaves_no_process(backend: Backend) -> None:
    worker = process_of(backend)
    backend.close()
    wait_until(lambda: not is_alive(worker))


def is_alive(process: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{process}/status").read_text()
    except FileNotFoundError:
        return False


HEAD_THAT_IS_KILLED = """
import os, signal
from modules.jobs.process import ProcessBackend
from tests.fakes import FakeEngine
from tests.jobs.test_backends import process_of

backend = ProcessBackend(FakeEngine)
backend.start()
os.write(1, str(process_of(backend)).encode())
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_worker_does_not_outlive_a_program_that_is_killed() -> None:
    head = subprocess.run([sys.executable, "-c", HEAD_THAT_IS_KILLED], cwd=REPOSITORY, stdout=subprocess.PIPE)
    assert head.returncode == -signal.SIGKILL
    wait_until(lambda: not is_alive(int(head.stdout)))


def test_without_ray_the_cluster_backend_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    backend = RayBackend(FakeEngine)
    with pytest.raises(WorkerDied, match=r"requirements-cluster\.txt"):
        run(backend, make_job())
    assert "requirements-cluster.txt" in backend.status().problem
    backend.close()


def test_a_cluster_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    ray = pytest.importorskip("ray")
    monkeypatch.setattr(ray, "is_initialized", lambda: False)  # whatever other tests have connected to
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and does not listen
        address = f"127.0.0.1:{nobody.getsockname()[1]}"
        monkeypatch.setenv("RAY_ADDRESS", address)
        backend = RayBackend(FakeEngine)
        with pytest.raises(WorkerDied, match=rf"{address} .*RAY_ADDRESS"):
            run(backend, make_job())
    backend.close()


CLUSTER_OF_ITS_OWN = """
import importlib
from modules.jobs.cluster import RayBackend
from tests.fakes import FakeEngine
from tests.jobs.test_backends import make_job, painted, run

backend = RayBackend(FakeEngine)
backend.start()
assert painted(run(backend, make_job(pictures=2))) == [0, 1]
backend.close()
assert not importlib.import_module("ray").is_initialized()
"""


def test_a_cluster_is_started_when_there_is_none_and_ended_silently() -> None:
    pytest.importorskip("ray")
    environment = {**os.environ, "RAY_ADDRESS": "local", "RAY_AUTH_TOKEN": uuid.uuid4().hex}
    done = subprocess.run(
        [sys.executable, "-c", CLUSTER_OF_ITS_OWN], cwd=REPOSITORY, env=environment, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
