"""What the jobs service keeps, and finds again after a restart."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from modules.schema.errors import KararliError
from modules.schema.events import (
    FIRST_FRAME,
    LAST_FRAME,
    Answered,
    AnswerReady,
    ClipReady,
    Job,
    Painted,
    PictureReady,
)
from modules.schema.media import Clip
from modules.schema.requests import Interpolate, Request, Upscale, result_names
from modules.settings import Settings
from modules.storage.answers import AnswerFiles, read_answer
from modules.storage.database import AnswerRow, ClipRow, Database, JobRow, PictureRow
from modules.storage.files import PictureFiles, encode_png
from modules.storage.filming import ENDINGS, Shot, Tell, film
from modules.storage.folders import InputRoot
from modules.storage.frames import Frames
from modules.storage.infotext import write_infotext
from modules.storage.inputs import Inputs
from modules.storage.metadata import PARAMETERS, RECORD, read_metadata
from modules.storage.postprocessing import write_upscaled
from modules.storage.reading import read_picture
from modules.storage.record import write_record

_REQUESTS: TypeAdapter[Request] = TypeAdapter(Request)


class Archive:
    """Jobs in the database, pictures on disk and in the database. `owner` names the program that runs the jobs."""

    def __init__(self, settings: Settings, owner: str) -> None:
        self.outputs = settings.outputs
        self._owner = owner
        self._database = Database(settings.database)
        self._files, self._answers = PictureFiles(settings.outputs), AnswerFiles(settings.outputs)
        self.inputs = Inputs(settings.inputs, settings.largest_video)
        self.frames = Frames(settings.frames)
        self.input_root = InputRoot(settings.input_root)

    def add_job(self, job: Job) -> None:
        """Journal a job before it is accepted."""
        request = _REQUESTS.dump_json(job.request).decode()
        self._database.add_job(JobRow(id=job.id, owner=self._owner, request=request, save=job.save, state="queued"))

    def set_state(self, job_id: str, state: str, reason: str = "") -> None:
        """Record where a job stands: queued, running, done, failed or cancelled."""
        self._database.set_state(job_id, state, reason)

    def keep(self, job: Job, result: Painted | Answered) -> PictureReady | AnswerReady:
        """Encode a picture with its parameters, save and record it (unless the job's are not to be saved); an answer
        likewise.

        Raises OSError when the disk refuses.
        """
        if isinstance(result, Painted) and makes_clip(job.request):
            frame = self._encode_picture(job, result)
            return replace(frame, path=self.frames.keep(job.id, result.index, frame.read()), png=None)
        if not job.save:
            return self.encode(job, result)
        return self._keep_picture(job, result) if isinstance(result, Painted) else self._keep_answer(job, result)

    def _keep_answer(self, job: Job, answered: Answered) -> AnswerReady:
        ready = self._answers.save(job.request, answered)
        assert ready.path is not None
        path, answer = ready.path.relative_to(self.outputs).as_posix(), answered.answer.model_dump_json()
        self._database.set_answer(AnswerRow(job_id=job.id, position=answered.index, path=path, answer=answer))
        return ready

    def _keep_picture(self, job: Job, painted: Painted) -> PictureReady:
        picture = self._encode_picture(job, painted)
        row = PictureRow(
            job_id=job.id,
            position=painted.index,
            seed=painted.seed,
            infotext=picture.infotext,
            environment=painted.environment.model_dump_json(),
        )

        def record(path: Path) -> None:
            row.path = path.relative_to(self.outputs).as_posix()
            self._database.set_picture(row)

        path = self._files.save(
            picture.read(), job.request.task, painted.seed, record, name=_own_name(job.request, painted.index)
        )
        return replace(picture, path=path, png=None)

    def encode(self, job: Job, result: Painted | Answered) -> PictureReady | AnswerReady:
        """The picture with its parameters and its record, or the answer, in memory only."""
        if isinstance(result, Answered):
            return AnswerReady(result.index, result.answer, files=dict(result.files))
        return self._encode_picture(job, result)

    def _encode_picture(self, job: Job, painted: Painted) -> PictureReady:
        infotext, record = self._infotext(job.request, painted), write_record(job.request, painted)
        return PictureReady(painted.index, painted.seed, infotext, png=encode_png(painted.picture, infotext, record))

    def film(self, job: Job, tell: Tell) -> ClipReady | None:
        """Make the clip of an animation's frames that are there; None for other jobs and where there are none.

        The frames of a complete clip are removed, unless they are to be kept. Raises KararliError or OSError.
        """
        request = job.request
        if not isinstance(request, Interpolate) or not request.makes_clip:
            return None
        earlier, paths = self.clip(job.id), self.frames.paths(job.id)
        if earlier is not None and earlier.complete:
            self.frames.remove(job.id)
            return earlier
        if not paths:
            return earlier
        texts = read_metadata(paths[0].read_bytes()).texts
        infotext, record = texts.get(PARAMETERS, ""), texts.get(RECORD, "")
        complete = len(paths) == request.frame_count
        if request.filming.format == "png":
            ready = self._keep_folder(job, request, paths, (infotext, record)) if complete else None
        else:
            ready = self._film(job, request, paths, (infotext, record), tell)
        if complete:
            if request.filming.keep_frames and request.filming.format != "png":
                self._files.adopt_folder(
                    self.frames.folder(job.id), request.task, request.seed_of(0), lambda _path: None
                )
            self.frames.remove(job.id)
        if ready is not None and earlier is not None:
            earlier.path.unlink(missing_ok=True)
        return ready

    def clip(self, job_id: str) -> ClipReady | None:
        """A job's clip, if it is on disk."""
        row = self._database.clip(job_id)
        path = self.outputs / Path(row.path) if row is not None else None
        if row is None or path is None or not path.exists():
            return None
        clip = Clip(row.format, row.width, row.height, row.frames, row.fps)
        return ClipReady(path, clip, row.infotext, row.complete)

    def inputs_of(self, job: Job) -> dict[str, bytes]:
        """The files that a worker needs for a job. Raises KararliError when one is gone."""
        found = {digest: self.inputs.read(digest) for digest in job.request.inputs()}
        follows = isinstance(job.request, Interpolate) and job.request.mode == "camera"
        if follows and (paths := self.frames.paths(job.id)[: job.finished]):
            found |= {FIRST_FRAME: paths[0].read_bytes(), LAST_FRAME: paths[-1].read_bytes()}
        return found

    def films_of(self, job: Job) -> dict[str, Path]:
        """Where the videos lie that a worker needs for a job. Raises KararliError when one is gone."""
        return {digest: self.inputs.path(digest) for digest in job.request.films()}

    def state(self, job_id: str) -> str:
        """Where a job stands, as set_state() was told; "" when there is none."""
        row = self._database.job(job_id)
        return row.state if row is not None else ""

    def _film(self, job: Job, request: Interpolate, paths: list[Path], texts: tuple[str, str], tell: Tell) -> ClipReady:
        kind = request.filming.format
        made = self.frames.folder(job.id) / f"clip.{ENDINGS.get(kind, kind)}"
        clip = film(Shot(request, paths), texts, made, tell)
        complete = len(paths) == request.frame_count
        path = self._files.adopt(
            made, request.task, request.seed_of(0), made.suffix, self._clip_recorder(job, clip, texts, complete)
        )
        return ClipReady(path, clip, texts[0], complete)

    def _keep_folder(self, job: Job, request: Interpolate, paths: list[Path], texts: tuple[str, str]) -> ClipReady:
        """The frames themselves, in a folder of their own."""
        metadata = read_metadata(paths[0].read_bytes())
        clip = Clip("png", metadata.width, metadata.height, len(paths), request.filming.fps)
        recorder = self._clip_recorder(job, clip, texts, True)
        path = self._files.adopt_folder(self.frames.folder(job.id), request.task, request.seed_of(0), recorder)
        return ClipReady(path, clip, texts[0], True)

    def _clip_recorder(self, job: Job, clip: Clip, texts: tuple[str, str], complete: bool) -> Callable[[Path], None]:
        def record(path: Path) -> None:
            place = path.relative_to(self.outputs).as_posix()
            facts = {"format": clip.format, "width": clip.width, "height": clip.height, "frames": clip.frames}
            row = ClipRow(job_id=job.id, path=place, fps=clip.fps, complete=complete, **facts)
            row.infotext, row.record = texts
            self._database.set_clip(row)

        return record

    def _infotext(self, request: Request, painted: Painted) -> str:
        if not isinstance(request, Upscale):
            return write_infotext(request, painted)
        try:
            source = read_picture(self.inputs.read(request.pictures[painted.index])).text
        except KararliError:  # a format without texts, or a picture that is gone by now
            source = ""
        return write_upscaled(request, painted, source)

    def pictures(self, job_id: str) -> list[PictureReady]:
        """A job's pictures that are on disk; one that was deleted, or recorded just before a power cut, is not."""
        rows = self._database.pictures(job_id)
        found = [PictureReady(row.position, row.seed, row.infotext, self.outputs / Path(row.path)) for row in rows]
        return [picture for picture in found if picture.path is not None and picture.path.is_file()]

    def answers(self, job_id: str) -> list[AnswerReady]:
        """A job's answers that are on disk."""
        rows = self._database.answers(job_id)
        found = (read_answer(self.outputs / Path(row.path), row.position, row.answer) for row in rows)
        return [answer for answer in found if answer is not None]

    def job(self, job_id: str) -> Job | None:
        """A job of this or an earlier run of the program."""
        row = self._database.job(job_id)
        return self._read(row) if row is not None else None

    def unfinished(self) -> list[Job]:
        """This owner's jobs that an earlier run of the program left behind, oldest first.

        A job whose request this version does not understand any more is recorded as failed.
        """
        jobs = [(row.id, self._read(row)) for row in self._database.unfinished(self._owner)]
        for job_id, job in jobs:
            if job is None:
                self.set_state(job_id, "failed", "This job was left by another version, which asked in other words.")
        return [job for _, job in jobs if job is not None]

    def close(self) -> None:
        """Let go of the database."""
        self._database.close()

    def _read(self, row: JobRow) -> Job | None:
        try:
            request = _REQUESTS.validate_json(row.request)
        except ValidationError:
            return None
        if makes_clip(request):
            finished = request.picture_count if self._is_filmed(row.id) else len(self.frames.paths(row.id))
        else:
            results = [*self.pictures(row.id), *self.answers(row.id)]
            finished = max((result.index + 1 for result in results), default=0)
        return Job(row.id, request, finished, row.save)

    def _is_filmed(self, job_id: str) -> bool:
        clip = self.clip(job_id)
        return clip is not None and clip.complete


def makes_clip(request: Request) -> bool:
    """Whether a request's pictures are frames of a clip."""
    return isinstance(request, Interpolate) and request.makes_clip


def _own_name(request: Request, index: int) -> str:
    """What the picture's source is called; "" for pictures that are numbered."""
    names = result_names(request)
    return names[index] if names else ""
