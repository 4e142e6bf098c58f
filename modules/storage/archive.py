"""What the jobs service keeps, and finds again after a restart."""

from dataclasses import replace
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from modules.schema.errors import KararliError
from modules.schema.events import Answered, AnswerReady, Job, Painted, PictureReady
from modules.schema.requests import Request, Upscale, result_names
from modules.settings import Settings
from modules.storage.answers import AnswerFiles, read_answer
from modules.storage.database import AnswerRow, Database, JobRow, PictureRow
from modules.storage.files import PictureFiles, encode_png
from modules.storage.folders import InputRoot
from modules.storage.infotext import write_infotext
from modules.storage.inputs import Inputs
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
        results = [*self.pictures(row.id), *self.answers(row.id)]
        finished = max((result.index + 1 for result in results), default=0)
        return Job(row.id, request, finished, row.save)


def _own_name(request: Request, index: int) -> str:
    """What the picture's source is called; "" for pictures that are numbered."""
    names = result_names(request)
    return names[index] if names else ""
