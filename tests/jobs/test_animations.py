"""Animations in the jobs service: frames are kept, clips are made of them, what was cut off goes on."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from modules.jobs.process import ProcessBackend
from modules.jobs.service import Jobs
from modules.schema.animation import Filming, Keyframe
from modules.schema.errors import InvalidRequest, KararliError
from modules.schema.events import Cancelled, ClipReady, Failed, Finished, Job, PictureReady, Requeued, Stop
from modules.schema.requests import Interpolate, Sampling
from modules.storage import archive
from tests.fakes import FakeEngine
from tests.jobs.test_service import Hold, Program, heard
from tests.waiting import wait_until


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Program]:
    program = Program(tmp_path / "data")
    yield program
    program.close()


def animation(prompt: str = "", frames: int = 9, **filming: object) -> Interpolate:
    keyframes = (Keyframe(seed=1), Keyframe(time=(frames - 1) / 8, seed=2))
    return Interpolate(
        prompt=prompt, keyframes=keyframes, filming=Filming(fps=8, **filming), seed=7, batch_size=1,  # type: ignore[arg-type]
        sampling=Sampling(steps=2),
    )  # fmt: skip


def clip_of(jobs: Jobs, job: Job) -> ClipReady:
    [clip] = [event for event in heard(jobs, job) if isinstance(event, ClipReady)]
    return clip


def frames_there(program: Program, job: Job) -> int:
    return len(list((program.settings.frames / job.id).glob("*.png")))


def test_an_animation_ends_as_one_clip_and_its_frames_are_gone(program: Program) -> None:
    jobs = program.open()
    job = jobs.submit(animation())
    events = heard(jobs, job)
    clip = next(event for event in events if isinstance(event, ClipReady))
    assert [type(event) for event in events[-2:]] == [ClipReady, Finished]
    assert (clip.complete, clip.clip.frames, clip.path.suffix) == (True, 9, ".mp4")
    assert clip.path.is_relative_to(program.settings.outputs / "interpolate")
    assert "Keyframes: " in clip.infotext
    assert not (program.settings.frames / job.id).exists()
    assert jobs.clip(job.id) == clip
    assert program.files() == []


def test_frames_are_kept_beside_the_clip_or_are_the_result(program: Program) -> None:
    jobs = program.open()
    kept = clip_of(jobs, jobs.submit(animation(keep_frames=True)))
    folder = clip_of(jobs, jobs.submit(animation(format="png"))).path
    beside = next(path for path in kept.path.parent.iterdir() if path.is_dir() and path != folder)
    for frames in (folder, beside):
        assert [path.name for path in sorted(frames.iterdir())] == [f"{index:05}.png" for index in range(9)]


def stopped(jobs: Jobs, tmp_path: Path, after: int = 3) -> Job:
    """An animation that was stopped after some frames."""
    hold = Hold(tmp_path / "hold")
    hold.release()
    job = jobs.submit(animation(f"slow {hold.prompt}"))
    wait_until(lambda: len(jobs.frames(job.id)) >= after)
    jobs.stop(job.id, Stop.AFTER_PICTURE)
    return job


def test_stop_leaves_a_clip_of_what_is_there_and_the_rest_is_made_later(program: Program, tmp_path: Path) -> None:
    jobs = program.open()
    job = stopped(jobs, tmp_path)
    events = heard(jobs, job)
    assert isinstance(events[-1], Cancelled)
    part = events[-2]
    assert isinstance(part, ClipReady)
    assert (part.complete, part.clip.frames) == (False, frames_there(program, job))
    assert part.path.is_file()
    jobs.go_on(job.id)
    whole = clip_of(jobs, job)
    assert (whole.complete, whole.clip.frames) == (True, 9)
    assert not part.path.exists()  # the whole one takes its place
    made = [event.index for event in heard(jobs, job) if isinstance(event, PictureReady)]
    assert made == list(range(part.clip.frames, 9))


def test_an_animation_that_was_stopped_goes_on_in_a_later_run_too(program: Program, tmp_path: Path) -> None:
    jobs = program.open()
    job = stopped(jobs, tmp_path)
    heard(jobs, job)
    jobs.close()
    later = program.open()
    later.go_on(job.id)
    assert clip_of(later, job).complete


def test_only_what_was_stopped_can_be_continued(program: Program) -> None:
    jobs = program.open()
    job = jobs.submit(animation())
    heard(jobs, job)
    with pytest.raises(InvalidRequest, match="nothing to continue"):
        jobs.go_on(job.id)
    with pytest.raises(InvalidRequest, match="not known here"):
        jobs.go_on("nobody")


def test_when_a_worker_dies_the_clip_is_that_of_a_whole_run(program: Program, tmp_path: Path) -> None:
    crash = tmp_path / "crash"
    crash.write_text("")
    jobs = program.open(ProcessBackend(FakeEngine))
    whole = clip_of(jobs, jobs.submit(animation(f"crash:{crash}"))).path.read_bytes()
    crash.write_text("x")
    events = heard(jobs, jobs.submit(animation(f"crash:{crash}")))
    assert any(isinstance(event, Requeued) for event in events)
    clip = next(event for event in events if isinstance(event, ClipReady))
    assert clip.path.read_bytes() == whole
    assert [event.index for event in events if isinstance(event, PictureReady)] == list(range(9))


def test_frames_of_a_program_that_was_ended_are_not_made_again(program: Program, tmp_path: Path) -> None:
    hold = Hold(tmp_path / "hold")
    jobs = program.open()
    job = jobs.submit(animation(hold.prompt))
    wait_until(lambda: jobs.running() is not None)
    for index in range(4):  # as an earlier attempt has left them
        program_archive = jobs._archive
        program_archive.frames.keep(job.id, index, b"")
    jobs.close()
    hold.release()
    assert [job.finished for job in program.open()._archive.unfinished()] == [4]


def test_a_clip_that_cannot_be_written_is_a_reason_and_the_frames_stay(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise KararliError("The clip could not be written: no room.")

    jobs = program.open()
    monkeypatch.setattr(archive, "film", refuse)
    job = jobs.submit(animation())
    end = heard(jobs, job)[-1]
    assert isinstance(end, Failed)
    assert "no room" in end.reason
    assert frames_there(program, job) == 9
    monkeypatch.undo()
    jobs.go_on(job.id)
    assert clip_of(jobs, job).complete


def test_a_clip_is_not_made_twice(program: Program) -> None:
    jobs = program.open()
    job = jobs.submit(animation())
    first = clip_of(jobs, job)
    before = first.path.stat().st_mtime_ns
    jobs._archive.set_state(job.id, "running")  # as if the power had gone before the end was recorded
    jobs.close()
    later = program.open()
    later.recover()
    again = clip_of(later, job)
    assert (again.path, again.path.stat().st_mtime_ns) == (first.path, before)
