"""What is asked of a job, and what is said about it."""

import itertools
from collections.abc import Iterator

import pytest

from modules.jobs.backend import StopSwitch
from modules.jobs.feed import Feed
from modules.schema.events import (
    Cancelled,
    JobCancelled,
    JobEvent,
    Painted,
    PictureReady,
    PictureSkipped,
    Progress,
    Queued,
    Started,
    Stop,
)
from modules.schema.results import CheckpointRecord, Environment, Runtime
from tests.fakes import paint
from tests.waiting import Background, wait_until

STEP = Progress("Painting", 0.5, 0, 2, step=1, steps=2)
LOADING = Progress("Loading", 0.0, 0, 2)
ENVIRONMENT = Environment(
    runtime=Runtime(device="cpu", device_name="", dtype="float32", attention="sdpa", torch="none"),
    checkpoint=CheckpointRecord(name="demo.safetensors", sha256="0" * 64),
)
LAST_OF_BATCH = Painted(1, 8, paint(8), ENVIRONMENT, last_of_batch=True)
IN_BATCH = Painted(0, 7, paint(7), ENVIRONMENT, last_of_batch=False)


def what_happens(switch: StopSwitch, event: Progress | Painted) -> str:
    try:
        switch.check("job", event)
    except (JobCancelled, PictureSkipped) as error:
        return type(error).__name__
    return "goes on"


@pytest.mark.parametrize(
    ("how", "loading", "step", "in_batch", "last_of_batch"),
    [
        (Stop.NOW, "JobCancelled", "JobCancelled", "goes on", "JobCancelled"),
        (Stop.AFTER_PICTURE, "goes on", "goes on", "goes on", "JobCancelled"),
        (Stop.SKIP, "goes on", "PictureSkipped", "goes on", "goes on"),
    ],
)
def test_each_wish_acts_at_its_points_only(
    how: Stop, loading: str, step: str, in_batch: str, last_of_batch: str
) -> None:
    outcomes: list[str] = []
    for event in (LOADING, STEP, IN_BATCH, LAST_OF_BATCH):
        switch = StopSwitch()
        switch.ask("job", how)
        outcomes.append(what_happens(switch, event))
    assert outcomes == [loading, step, in_batch, last_of_batch]


@pytest.mark.parametrize(
    ("first", "second"), [pair for pair in itertools.product(Stop, Stop) if pair[0] is not pair[1]]
)
def test_two_different_wishes_leave_the_picture_and_the_job(first: Stop, second: Stop) -> None:
    switch = StopSwitch()
    switch.ask("job", first)
    switch.ask("job", second)
    assert what_happens(switch, STEP) == "JobCancelled"


def test_a_skip_acts_once() -> None:
    switch = StopSwitch()
    switch.ask("job", Stop.SKIP)
    assert what_happens(switch, STEP) == "PictureSkipped"
    assert what_happens(switch, STEP) == "goes on"


def test_a_skip_that_comes_when_the_picture_is_done_is_not_meant_for_the_next_one() -> None:
    switch = StopSwitch()
    switch.ask("job", Stop.SKIP)
    assert what_happens(switch, LAST_OF_BATCH) == "goes on"
    assert what_happens(switch, STEP) == "goes on"


def test_what_was_asked_of_a_job_that_is_over_is_forgotten() -> None:
    switch = StopSwitch()
    switch.ask("job", Stop.NOW)
    switch.forget("job")
    assert what_happens(switch, STEP) == "goes on"


def ready(index: int) -> PictureReady:
    return PictureReady(index, 7 + index, "", png=b"png")


END = Cancelled()


def fed(*events: JobEvent) -> Feed:
    feed = Feed()
    for event in events:
        feed.publish(event)
    return feed


def flat(bursts: Iterator[list[JobEvent]]) -> list[JobEvent]:
    return list(itertools.chain.from_iterable(bursts))


def test_who_comes_late_hears_all_that_matters() -> None:
    feed = fed(Queued(1), Started(), STEP, ready(0), ready(1), END)
    assert flat(feed.follow()) == [Started(), ready(0), ready(1), END]


def test_what_is_behind_time_comes_at_its_place() -> None:
    feed = fed(Started(), ready(0), STEP, ready(1))
    assert next(feed.follow()) == [Started(), ready(0), STEP, ready(1)]


def test_nothing_is_said_after_the_end() -> None:
    feed = fed(Started(), END, ready(0), STEP, Queued(1), Cancelled("again"))
    assert flat(feed.follow()) == [Started(), END]
    assert feed.latest is None


def test_all_followers_hear_all_pictures_whatever_their_pace() -> None:
    feed, pictures = Feed(), [ready(index) for index in range(200)]
    heard: list[list[JobEvent]] = [[], [], []]

    def follow(number: int) -> None:
        for burst in feed.follow():
            if number == 0 and not heard[0]:  # the slow one: it comes back when all is over
                wait_until(lambda: feed.ended)
            heard[number] += burst

    followers = [Background(lambda number=number: follow(number)) for number in range(3)]
    for picture in pictures:
        feed.publish(Progress("Painting", 0.5, picture.index, 200))
        feed.publish(picture)
    feed.publish(END)
    for follower in followers:
        follower.join()
    for events in heard:
        assert [event for event in events if not isinstance(event, Progress)] == [*pictures, END]
