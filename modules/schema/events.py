"""What is said about a job while it goes its way, from the queue to the end.

The engine pushes Progress and Painted; the jobs service adds the rest and turns Painted into PictureReady. Each
event is a frozen value and can be pickled.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TypeAlias

from modules.schema.captioning import Description
from modules.schema.divergence import Scores
from modules.schema.media import Clip, Picture
from modules.schema.requests import Request
from modules.schema.results import Environment, Result, Runtime

FIRST_FRAME, LAST_FRAME = "first frame", "last frame"
"""Names among a job's inputs: frames that an earlier attempt has painted, where the next ones follow from them."""


@dataclass(frozen=True)
class Job:
    """A resolved request with a name.

    `finished` pictures were delivered by an earlier attempt and are not made again. `save=False` keeps the pictures off
    the disk: they are in the events only. `inputs` holds the input pictures' files by their digests while a worker has
    the job, wherever that runs; a job that waits holds none. `films` says where the input videos lie: these are
    too large to be sent, so the worker has to reach that folder.
    """

    id: str
    request: Request
    finished: int = 0
    save: bool = True
    inputs: Mapping[str, bytes] = field(default_factory=dict[str, bytes], repr=False)
    films: Mapping[str, Path] = field(default_factory=dict[str, Path], repr=False)


class Stop(StrEnum):
    """The three ways to end work early."""

    NOW = "now"
    """Leave the picture that is being painted, and the job."""
    AFTER_PICTURE = "after picture"
    """Finish what is being painted, then leave the job."""
    SKIP = "skip"
    """Leave the picture that is being painted, go on with the next."""


@dataclass(frozen=True)
class Queued:
    """The job waits; `ahead` jobs come before it."""

    ahead: int


@dataclass(frozen=True)
class Started:
    """A worker took the job. `attempt` is 2 when an earlier worker died over it."""

    attempt: int = 1


@dataclass(frozen=True)
class Progress:
    """Where the work stands.

    `done` is the finished share of the whole job, 0 to 1; `picture` counts from 0 over the job, `pictures` is how many
    there will be. `preview` is a small JPEG of what the first picture of the batch looks like now.
    """

    stage: str
    done: float
    picture: int
    pictures: int
    step: int = 0
    steps: int = 0
    seconds_left: float | None = None
    preview: bytes | None = None


@dataclass(frozen=True)
class Painted:
    """Picture `index` of the job is there. `last_of_batch` marks the points at which a job may end early."""

    index: int
    seed: int
    picture: Picture
    environment: Environment
    last_of_batch: bool


Answer: TypeAlias = Description | Scores
"""What a task comes to that does not paint."""


@dataclass(frozen=True)
class Answered:
    """Result `index` of the job is there, in words. `files` are what belongs to it, by name with ending."""

    index: int
    answer: Answer
    environment: Environment
    files: Mapping[str, bytes] = field(default_factory=dict[str, bytes], repr=False)


@dataclass(frozen=True)
class AnswerReady:
    """Result `index` of the job: with its record on disk at `path`, or in memory only when it was not to be saved.

    `files` are what belongs to it: paths of saved files, else their bytes.
    """

    index: int
    answer: Answer
    path: Path | None = None
    files: Mapping[str, Path | bytes] = field(default_factory=dict[str, Path | bytes], repr=False)

    def read(self, name: str) -> bytes | None:
        """A file's bytes; None when there is none of that name. Raises OSError when the saved file is gone."""
        file = self.files.get(name)
        return file.read_bytes() if isinstance(file, Path) else file


@dataclass(frozen=True)
class PictureReady:
    """Picture `index`, encoded with its parameters: on disk at `path`, or in `png` when it was not to be saved."""

    index: int
    seed: int
    infotext: str
    path: Path | None = None
    png: bytes | None = None

    def read(self) -> bytes:
        """The PNG file's bytes. Raises OSError when the saved file is gone."""
        if self.path is not None:
            return self.path.read_bytes()
        assert self.png is not None
        return self.png


@dataclass(frozen=True)
class ClipReady:
    """The clip of an animation is on disk: of all its frames, or (not `complete`) of those that are there."""

    path: Path
    clip: Clip
    infotext: str
    complete: bool


@dataclass(frozen=True)
class Requeued:
    """The worker died over the job, which waits at the head of the queue for another one."""

    reason: str


@dataclass(frozen=True)
class Finished:
    """All pictures that were asked for (less the skipped ones) are there."""

    result: Result


@dataclass(frozen=True)
class Failed:
    """The job ended with an error; the pictures finished before it are kept."""

    reason: str


@dataclass(frozen=True)
class Cancelled:
    """Somebody stopped the job; the pictures finished before that are kept."""

    reason: str = "Stopped."


@dataclass(frozen=True)
class WorkerStatus:
    """How the engine is: `runtime` is known once it is ready, `problem` once it could not start."""

    ready: bool
    runtime: Runtime | None = None
    problem: str = ""


EngineEvent: TypeAlias = Progress | Painted | Answered | Finished | Failed | Cancelled
"""What a worker says."""

JobEvent: TypeAlias = (
    Queued | Started | Progress | PictureReady | ClipReady | AnswerReady | Requeued | Finished | Failed | Cancelled
)
"""What someone who watches a job hears."""

TERMINAL = (Finished, Failed, Cancelled)


class JobCancelled(Exception):
    """Raised by `report` inside the engine when the job is to end now."""


class PictureSkipped(Exception):
    """Raised by `report` inside the engine when the picture at hand is to be left."""


Report: TypeAlias = Callable[[Progress | Painted | Answered], None]
"""How a task tells where it stands. May raise JobCancelled or PictureSkipped."""
