"""The jobs service, with the fake engine and a real archive."""

import io
import itertools
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from modules.jobs import service
from modules.jobs.backend import Backend, Emit
from modules.jobs.inline import InlineBackend
from modules.jobs.process import ProcessBackend
from modules.jobs.service import Jobs
from modules.schema.errors import InvalidRequest, JobExists, KararliError, WorkerDied
from modules.schema.events import (
    TERMINAL,
    Cancelled,
    Failed,
    Finished,
    Job,
    JobEvent,
    Painted,
    PictureReady,
    Progress,
    Queued,
    Requeued,
    Started,
    Stop,
    WorkerStatus,
)
from modules.schema.requests import RANDOM_SEED, Request, Sampling, Txt2Img
from modules.settings import Settings
from modules.storage.archive import Archive
from modules.storage.database import Database
from tests.fakes import FakeEngine, build_nothing, paint
from tests.waiting import Background, wait_until

SEEDS = itertools.count(1000, 100)


def resolve(request: Request) -> Request:
    """As the catalog does, without a catalog."""
    if request.sampling.sampler == "unknown":
        raise InvalidRequest("There is no such sampler.", "sampling.sampler")
    seed = next(SEEDS) if request.seed == RANDOM_SEED else request.seed
    return request.model_copy(update={"checkpoint": "demo.safetensors", "seed": seed, "width": 64, "height": 64})


def make_request(prompt: str = "", pictures: int = 1, steps: int = 2, seed: int = RANDOM_SEED) -> Txt2Img:
    return Txt2Img(prompt=prompt, batch_count=pictures, sampling=Sampling(steps=steps), seed=seed)


class Program:
    """A program over a folder: it can be ended, and started again."""

    def __init__(self, folder: Path) -> None:
        self.settings = Settings(data_dir=folder)
        self._opened: list[Jobs] = []

    def open(self, backend: Backend | None = None, archive: Archive | None = None) -> Jobs:
        jobs = Jobs(backend or InlineBackend(FakeEngine), archive or Archive(self.settings, "test"), resolve)
        self._opened.append(jobs)
        jobs.start()
        return jobs

    def close(self) -> None:
        for jobs in self._opened:
            jobs.close()

    def state(self, job: Job) -> str:
        """What the journal says of a job."""
        database = Database(self.settings.database)
        row = database.job(job.id)
        database.close()
        return row.state if row is not None else "not there"

    def files(self) -> list[str]:
        """The seeds of the saved pictures, in the order in which they were saved."""
        return [path.stem.split("-")[1] for path in sorted(self.settings.outputs.glob("*/*/*.png"))]


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Program]:
    program = Program(tmp_path / "data")
    yield program
    program.close()


class Hold:
    """A file that keeps a fake engine waiting."""

    def __init__(self, path: Path) -> None:
        path.touch()
        self.prompt = f"hold:{path}"
        self.release = path.unlink


@pytest.fixture
def holds(tmp_path: Path) -> Iterator[Iterator[Hold]]:
    paths = [tmp_path / f"hold{number}" for number in range(3)]
    yield map(Hold, paths)
    for path in paths:
        path.unlink(missing_ok=True)


def heard(jobs: Jobs, job: Job) -> list[JobEvent]:
    """All events of a job, to its end."""
    events: list[JobEvent] = []
    Background(lambda: events.extend(jobs.watch(job.id))).join()
    return events


def kept(events: list[JobEvent]) -> list[JobEvent]:
    """Without those that a slow listener may miss."""
    return [event for event in events if not isinstance(event, Queued | Progress)]


def pictures(events: list[JobEvent]) -> list[PictureReady]:
    return [event for event in events if isinstance(event, PictureReady)]


def worker_of(jobs: Jobs) -> int:
    """The engine's process, once it is ready."""
    wait_until(lambda: jobs.status().ready)
    runtime = jobs.status().runtime
    assert runtime is not None
    return int(runtime.device_name)


def test_first_come_first_served(program: Program, holds: Iterator[Hold]) -> None:
    jobs, hold = program.open(), next(holds)
    prompts = [hold.prompt, "", "", ""]
    submitted = [jobs.submit(make_request(prompt, seed=seed)) for seed, prompt in enumerate(prompts)]
    wait_until(lambda: jobs.running() == submitted[0])
    assert jobs.waiting() == submitted[1:]
    hold.release()
    ends = [heard(jobs, job)[-1] for job in submitted]
    assert all(isinstance(end, Finished) for end in ends)
    assert program.files() == ["0", "1", "2", "3"]
    assert [program.state(job) for job in submitted] == ["done"] * 4


def test_each_waiting_job_hears_its_place_change(program: Program, holds: Iterator[Hold]) -> None:
    jobs, first, second = program.open(), next(holds), next(holds)
    running = jobs.submit(make_request(first.prompt))
    wait_until(lambda: jobs.running() == running)
    waiting = [jobs.submit(make_request(prompt)) for prompt in (second.prompt, "", "")]
    assert [jobs.latest(job.id) for job in waiting] == [Queued(1), Queued(2), Queued(3)]
    first.release()
    wait_until(lambda: jobs.running() == waiting[0])
    wait_until(lambda: jobs.latest(waiting[2].id) == Queued(2))
    assert jobs.latest(waiting[1].id) == Queued(1)
    jobs.stop(waiting[1].id, Stop.NOW)
    assert jobs.latest(waiting[2].id) == Queued(1)
    second.release()
    assert isinstance(heard(jobs, waiting[2])[-1], Finished)
    assert jobs.latest(waiting[2].id) is None


def test_what_a_request_leaves_open_is_decided_and_journalled_when_it_is_submitted(
    program: Program, holds: Iterator[Hold]
) -> None:
    jobs, hold = program.open(), next(holds)
    job = jobs.submit(make_request(hold.prompt, pictures=2))
    assert job.request.seed != RANDOM_SEED
    archive = Archive(program.settings, "test")
    assert archive.unfinished() == [job]
    archive.close()
    hold.release()
    events = heard(jobs, job)
    assert [picture.seed for picture in pictures(events)] == [job.request.seed, job.request.seed + 1]


def test_a_request_that_cannot_be_run_is_refused_and_leaves_no_trace(program: Program) -> None:
    jobs = program.open()
    with pytest.raises(InvalidRequest, match="no such sampler"):
        jobs.submit(Txt2Img(sampling=Sampling(sampler="unknown")), job_id="refused")
    assert not jobs.knows("refused")
    assert jobs.waiting() == []
    assert isinstance(heard(jobs, jobs.submit(make_request(), job_id="refused"))[-1], Finished)


def test_pictures_are_saved_with_their_parameters(program: Program) -> None:
    jobs = program.open()
    job = jobs.submit(make_request("a red cube", seed=300))
    (picture,) = pictures(heard(jobs, job))
    assert picture.path is not None
    with Image.open(picture.path) as image:
        assert image.tobytes() == paint(300).pixels
        assert image.info["parameters"] == picture.infotext
    assert picture.infotext.startswith("a red cube\nSteps: 2, ")
    assert "Seed: 300" in picture.infotext


def test_all_watchers_hear_the_same_whenever_they_come(program: Program, holds: Iterator[Hold]) -> None:
    jobs, hold = program.open(), next(holds)
    job = jobs.submit(make_request(hold.prompt, pictures=5))
    lists: list[list[JobEvent]] = [[], [], []]
    early = [Background(lambda events=events: events.extend(jobs.watch(job.id))) for events in lists]
    slow = jobs.watch(job.id)
    assert isinstance(next(slow), Queued | Started | Progress)
    hold.release()
    for watcher in early:
        watcher.join()
    late = heard(jobs, job)
    assert [picture.index for picture in pictures(late)] == [0, 1, 2, 3, 4]
    assert isinstance(late[-1], Finished)
    for events in lists:
        assert kept(events) == kept(late)
    assert pictures(list(slow)) == pictures(late)


def test_a_job_that_waits_can_be_taken_out_of_the_queue(program: Program, holds: Iterator[Hold]) -> None:
    jobs, hold = program.open(), next(holds)
    running = jobs.submit(make_request(hold.prompt, seed=1))
    wait_until(lambda: jobs.running() == running)
    stopped, other = [jobs.submit(make_request(seed=seed)) for seed in (2, 3)]
    jobs.stop(other.id, Stop.SKIP)
    jobs.stop(stopped.id, Stop.NOW)
    assert kept(heard(jobs, stopped)) == [Cancelled("Taken out of the queue.")]
    hold.release()
    assert isinstance(heard(jobs, other)[-1], Finished)
    assert program.files() == ["1", "3"]
    assert program.state(stopped) == "cancelled"


@pytest.mark.parametrize(
    ("how", "indices", "end"),
    [(Stop.NOW, [], Cancelled), (Stop.AFTER_PICTURE, [0], Cancelled), (Stop.SKIP, [1], Finished)],
    ids=["now", "after picture", "skip"],
)
def test_a_running_job_is_stopped_as_asked(
    program: Program, holds: Iterator[Hold], how: Stop, indices: list[int], end: type
) -> None:
    jobs, hold = program.open(), next(holds)
    job = jobs.submit(make_request(hold.prompt, pictures=2))
    wait_until(lambda: isinstance(jobs.latest(job.id), Progress))
    jobs.stop(job.id, how)
    hold.release()
    events = heard(jobs, job)
    assert [picture.index for picture in pictures(events)] == indices
    assert isinstance(events[-1], end)
    assert isinstance(heard(jobs, jobs.submit(make_request()))[-1], Finished), "the next job is not stopped"


def test_to_stop_what_is_over_or_was_never_there_does_nothing(program: Program) -> None:
    jobs = program.open()
    job = jobs.submit(make_request())
    events = heard(jobs, job)
    jobs.stop(job.id, Stop.NOW)
    jobs.stop("never there", Stop.NOW)
    assert heard(jobs, job)[-1] == events[-1]
    assert program.state(job) == "done"


def test_what_nobody_submitted_cannot_be_watched(program: Program) -> None:
    with pytest.raises(KararliError, match="not known here"):
        program.open().watch("never there")


def test_of_many_jobs_with_one_id_one_is_taken(program: Program) -> None:
    jobs = program.open()
    taken: list[Job] = []
    refused: list[str] = []

    def submit() -> None:
        try:
            taken.append(jobs.submit(make_request(), job_id="the same"))
        except JobExists as error:
            refused.append(str(error))

    for submission in [Background(submit) for _ in range(8)]:
        submission.join()
    assert (len(taken), len(refused)) == (1, 7)
    assert "'the same'" in refused[0]
    assert isinstance(heard(jobs, taken[0])[-1], Finished)


@pytest.mark.parametrize("backend", [InlineBackend, ProcessBackend])
def test_a_job_fails_with_the_reason_why_the_engine_cannot_start(program: Program, backend: type) -> None:
    jobs = program.open(backend(build_nothing))
    job = jobs.submit(make_request())
    assert kept(heard(jobs, job)) == [Started(1), Failed("The fake engine is not to be had.")]
    assert jobs.status().problem == "The fake engine is not to be had."
    assert program.state(job) == "failed"


def test_a_killed_worker_costs_no_picture_and_holds_nobody_up(program: Program) -> None:
    jobs = program.open(ProcessBackend(FakeEngine))
    victim = jobs.submit(make_request("slow", pictures=3, steps=8, seed=10))
    others = [jobs.submit(make_request(seed=seed)) for seed in (20, 30)]
    events = jobs.watch(victim.id)
    assert isinstance(next(event for event in events if isinstance(event, PictureReady)), PictureReady)
    os.kill(worker_of(jobs), signal.SIGKILL)
    told = heard(jobs, victim)
    assert [picture.index for picture in pictures(told)] == [0, 1, 2]
    attempts = [event for event in told if isinstance(event, Started | Requeued)]
    assert [type(event) for event in attempts] == [Started, Requeued, Started]
    assert "SIGKILL" in attempts[1].reason  # type: ignore[union-attr]
    assert attempts[2] == Started(2)
    assert isinstance(told[-1], Finished)
    for other in others:
        assert isinstance(heard(jobs, other)[-1], Finished)
    assert program.files() == ["10", "11", "12", "20", "30"]


def test_a_job_over_which_two_workers_die_fails_and_the_next_one_runs(program: Program, tmp_path: Path) -> None:
    crashes = tmp_path / "crashes"
    crashes.write_text("xx")
    jobs = program.open(ProcessBackend(FakeEngine))
    deadly, next_one = jobs.submit(make_request(f"crash:{crashes}", pictures=2)), jobs.submit(make_request())
    *events, end = heard(jobs, deadly)
    assert isinstance(end, Failed)
    assert end.reason.startswith("The engine's process was ended by SIGKILL.")
    assert end.reason.endswith("It happened twice with this job.")
    assert [picture.index for picture in pictures(events)] == [0]
    assert program.state(deadly) == "failed"
    assert isinstance(heard(jobs, next_one)[-1], Finished)


class MortalBackend:
    """Its workers die over every job, right after something else has happened."""

    def __init__(self) -> None:
        self.runs = 0
        self.before_death = lambda _job: None

    def run(self, job: Job, emit: Emit) -> None:
        self.runs += 1
        self.before_death(job)
        raise WorkerDied("The worker died.")

    def status(self) -> WorkerStatus:
        return WorkerStatus(ready=True)

    def start(self) -> None: ...

    def stop(self, job_id: str, how: Stop) -> None: ...

    def close(self) -> None: ...


@pytest.mark.parametrize("how", [Stop.NOW, Stop.AFTER_PICTURE])
def test_a_job_that_was_stopped_is_not_tried_again_when_its_worker_dies(program: Program, how: Stop) -> None:
    backend = MortalBackend()
    jobs = program.open(backend)
    backend.before_death = lambda job: jobs.stop(job.id, how)
    assert kept(heard(jobs, jobs.submit(make_request()))) == [Started(1), Cancelled()]
    assert backend.runs == 1


def test_a_skip_is_no_reason_not_to_try_again(program: Program) -> None:
    backend = MortalBackend()
    jobs = program.open(backend)
    backend.before_death = lambda job: jobs.stop(job.id, Stop.SKIP)
    told = kept(heard(jobs, jobs.submit(make_request())))
    assert [type(event) for event in told] == [Started, Requeued, Started, Failed]


def test_a_picture_that_cannot_be_saved_is_shown_and_the_job_fails_with_the_reason(program: Program) -> None:
    program.settings.outputs.mkdir(parents=True)
    in_the_way = program.settings.outputs / "txt2img"
    in_the_way.write_text("a file where a folder should be")
    jobs = program.open()
    job = jobs.submit(make_request(pictures=3, seed=400))
    *events, end = heard(jobs, job)
    (picture,) = pictures(events)
    with Image.open(io.BytesIO(picture.read())) as image:
        assert image.tobytes() == paint(400).pixels
        assert image.info["parameters"] == picture.infotext
    assert isinstance(end, Failed)
    assert str(program.settings.outputs) in end.reason
    assert "permissions" in end.reason
    assert program.state(job) == "failed"
    in_the_way.unlink()
    assert isinstance(heard(jobs, jobs.submit(make_request()))[-1], Finished)


def test_when_a_batch_cannot_be_saved_all_its_pictures_are_shown(program: Program) -> None:
    program.settings.outputs.mkdir(parents=True)
    (program.settings.outputs / "txt2img").touch()
    jobs = program.open()
    job = jobs.submit(Txt2Img(batch_size=3, batch_count=2, sampling=Sampling(steps=1)))
    *events, end = heard(jobs, job)
    assert [picture.index for picture in pictures(events)] == [0, 1, 2]
    assert isinstance(end, Failed)


class ForgetfulArchive(Archive):
    """A database that stops working once it has taken the job in."""

    broken = True

    def keep(self, job: Job, painted: Painted) -> PictureReady:
        if self.broken:
            raise RuntimeError("database or disk is full")
        return super().keep(job, painted)

    def set_state(self, job_id: str, state: str, reason: str = "") -> None:
        if self.broken and state != "running":
            raise RuntimeError("database or disk is full")
        super().set_state(job_id, state, reason)


def test_when_the_database_fails_the_end_is_heard_and_the_queue_goes_on(program: Program) -> None:
    archive = ForgetfulArchive(program.settings, "test")
    jobs = program.open(archive=archive)
    *events, end = heard(jobs, jobs.submit(make_request()))
    assert len(pictures(events)) == 1
    assert isinstance(end, Failed)
    archive.broken = False
    assert isinstance(heard(jobs, jobs.submit(make_request()))[-1], Finished)


@pytest.mark.parametrize("backend", [InlineBackend, ProcessBackend])
def test_what_was_left_unfinished_is_taken_up_by_the_next_start(program: Program, backend: type) -> None:
    jobs = program.open(backend(FakeEngine))
    running = jobs.submit(make_request("slow", pictures=3, steps=10, seed=10))
    waiting = [jobs.submit(make_request(seed=seed)) for seed in (20, 30)]
    watch = jobs.watch(running.id)
    first = next(event for event in watch if isinstance(event, PictureReady))
    jobs.close()
    assert isinstance(list(watch)[-1], Cancelled), "who watched is not left waiting"
    assert isinstance(heard(jobs, waiting[0])[-1], Cancelled)
    assert [program.state(job) for job in (running, *waiting)] == ["running", "queued", "queued"]

    jobs = program.open(backend(FakeEngine))
    jobs.recover()
    events = heard(jobs, running)
    assert [picture.index for picture in pictures(events)] == [0, 1, 2]
    assert pictures(events)[0] == first
    for job in (running, *waiting):
        assert isinstance(heard(jobs, job)[-1], Finished)
        assert program.state(job) == "done"
    assert program.files() == ["10", "11", "12", "20", "30"], "in their order, and no picture twice"


def test_a_job_of_another_program_is_left_to_it(program: Program) -> None:
    archive = Archive(program.settings, "another")
    job = Job("theirs", resolve(make_request()))
    archive.add_job(job)
    archive.close()
    jobs = program.open()
    jobs.recover()
    assert not jobs.knows("theirs")
    assert program.state(job) == "queued"


def test_a_closed_service_takes_no_jobs(program: Program) -> None:
    jobs = program.open()
    jobs.close()
    with pytest.raises(KararliError, match="ending"):
        jobs.submit(make_request())
    jobs.close()


def test_pictures_that_are_not_to_be_saved_are_in_the_events_only(program: Program) -> None:
    jobs = program.open()
    (picture,) = pictures(heard(jobs, jobs.submit(make_request(seed=500), save=False)))
    assert picture.path is None
    with Image.open(io.BytesIO(picture.read())) as image:
        assert image.tobytes() == paint(500).pixels
    assert program.files() == []


def test_only_the_last_unsaved_jobs_keep_their_pictures_in_memory(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "REMEMBERED_WITH_PICTURES", 2)
    jobs = program.open()
    saved = jobs.submit(make_request())
    heard(jobs, saved)
    first = jobs.submit(make_request(pictures=2), save=False)
    watching = jobs.watch(first.id)
    unsaved = [jobs.submit(make_request(), save=False) for _ in range(3)]
    heard(jobs, unsaved[-1])
    assert [jobs.knows(job.id) for job in (saved, first, *unsaved)] == [True, False, False, True, True]
    assert len(pictures(list(watching))) == 2, "who watches already loses nothing"


def test_jobs_that_ended_long_ago_are_forgotten_and_those_that_wait_are_not(
    program: Program, holds: Iterator[Hold], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "REMEMBERED", 2)
    jobs, hold = program.open(), next(holds)
    ended = [jobs.submit(make_request()) for _ in range(4)]
    heard(jobs, ended[-1])
    waiting = [jobs.submit(make_request(hold.prompt)) for _ in range(4)]
    assert [jobs.knows(job.id) for job in ended] == [False, False, True, True]
    assert all(jobs.knows(job.id) for job in waiting)
    hold.release()
    heard(jobs, waiting[-1])


def test_under_a_crowd_each_job_has_one_end_and_hears_things_in_order(program: Program) -> None:
    jobs = program.open()
    told: list[list[JobEvent]] = []

    def visit(number: int) -> None:
        for turn in range(6):
            job = jobs.submit(make_request(pictures=2, steps=1))
            if (number + turn) % 3 == 0:
                jobs.stop(job.id, Stop.NOW)
            told.append(list(jobs.watch(job.id)))

    for visitor in [Background(lambda number=number: visit(number)) for number in range(8)]:
        visitor.join()
    assert len(told) == 48
    for events in told:
        assert sum(isinstance(event, TERMINAL) for event in events) == 1
        assert isinstance(events[-1], TERMINAL)
        started = next((place for place, event in enumerate(events) if isinstance(event, Started)), len(events))
        assert not any(isinstance(event, Queued) for event in events[started:])
        shares = [event.done for event in events if isinstance(event, Progress)]
        assert shares == sorted(shares)
    assert jobs.waiting() == []
