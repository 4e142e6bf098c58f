"""The record of jobs and pictures: SQLAlchemy over SQLite, in outputs/kararli.db."""

import errno
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import URL, ForeignKey, create_engine, delete, event, select, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker


class Base(DeclarativeBase):
    """All tables."""


class JobRow(Base):
    """A job: journalled before it is accepted, so that a restart finds it."""

    __tablename__ = "jobs"

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    """The order of arrival."""
    id: Mapped[str] = mapped_column(unique=True)
    owner: Mapped[str]
    """Which program runs it: "serve", or "cli" for a job that ends with its command."""
    request: Mapped[str]
    """The resolved request as JSON."""
    save: Mapped[bool]
    state: Mapped[str]
    """queued, running, done, failed or cancelled."""
    reason: Mapped[str] = mapped_column(default="")
    created: Mapped[datetime] = mapped_column(default=lambda: datetime.now(UTC))


class PictureRow(Base):
    """A picture on disk; `path` is relative to outputs/."""

    __tablename__ = "pictures"

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id"), index=True)
    position: Mapped[int]
    """Which picture of the job, from 0."""
    seed: Mapped[int]
    path: Mapped[str]
    infotext: Mapped[str]
    environment: Mapped[str]
    """schema.results.Environment as JSON: what the pixels depend on beside the request."""
    created: Mapped[datetime] = mapped_column(default=lambda: datetime.now(UTC))


class ClipRow(Base):
    """An animation's clip on disk; `path` is relative to outputs/. A job has one: a later one takes its place."""

    __tablename__ = "clips"

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id"), primary_key=True)
    path: Mapped[str]
    infotext: Mapped[str]
    record: Mapped[str]
    format: Mapped[str]
    width: Mapped[int]
    height: Mapped[int]
    frames: Mapped[int]
    fps: Mapped[int]
    complete: Mapped[bool]
    """Whether all frames are in it."""
    created: Mapped[datetime] = mapped_column(default=lambda: datetime.now(UTC))


class AnswerRow(Base):
    """A result in words; `path` of its record is relative to outputs/."""

    __tablename__ = "answers"

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id"), index=True)
    position: Mapped[int]
    """Which result of the job, from 0."""
    path: Mapped[str]
    answer: Mapped[str]
    """schema.events.Answer as JSON."""
    created: Mapped[datetime] = mapped_column(default=lambda: datetime.now(UTC))


class Database:
    """The tables. Each method is one transaction."""

    def __init__(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        engine = create_engine(URL.create("sqlite", database=str(file)))  # as text, "?" in the path would end it
        event.listen(engine, "connect", _set_up_connection)
        Base.metadata.create_all(engine)
        self._engine = engine
        self._sessions = sessionmaker(engine, expire_on_commit=False)

    def add_job(self, row: JobRow) -> None:
        """Record a job. Raises OSError when the disk refuses."""
        with _disk_errors(), self._sessions.begin() as session:
            session.add(row)

    def set_picture(self, row: PictureRow) -> None:
        """Record a picture, in place of an earlier record of the same one. Raises OSError when the disk refuses."""
        earlier = delete(PictureRow).where(PictureRow.job_id == row.job_id, PictureRow.position == row.position)
        with _disk_errors(), self._sessions.begin() as session:
            session.execute(earlier)
            session.merge(row)

    def set_clip(self, row: ClipRow) -> None:
        """Record a clip, in place of an earlier one of the same job. Raises OSError when the disk refuses."""
        with _disk_errors(), self._sessions.begin() as session:
            session.merge(row)

    def clip(self, job_id: str) -> ClipRow | None:
        """A job's clip."""
        with self._sessions() as session:
            return session.get(ClipRow, job_id)

    def set_answer(self, row: AnswerRow) -> None:
        """Record an answer, in place of an earlier record of the same one. Raises OSError when the disk refuses."""
        earlier = delete(AnswerRow).where(AnswerRow.job_id == row.job_id, AnswerRow.position == row.position)
        with _disk_errors(), self._sessions.begin() as session:
            session.execute(earlier)
            session.merge(row)

    def answers(self, job_id: str) -> Sequence[AnswerRow]:
        """A job's answers, in their order."""
        query = select(AnswerRow).where(AnswerRow.job_id == job_id).order_by(AnswerRow.position)
        with self._sessions() as session:
            return session.scalars(query).all()

    def set_state(self, job_id: str, state: str, reason: str = "") -> None:
        """Record where a job stands."""
        with self._sessions.begin() as session:
            session.execute(update(JobRow).where(JobRow.id == job_id).values(state=state, reason=reason))

    def job(self, job_id: str) -> JobRow | None:
        """One job."""
        with self._sessions() as session:
            return session.scalar(select(JobRow).where(JobRow.id == job_id))

    def unfinished(self, owner: str) -> Sequence[JobRow]:
        """The owner's jobs that were waiting or running, oldest first."""
        query = select(JobRow).where(JobRow.owner == owner, JobRow.state.in_(("queued", "running")))
        with self._sessions() as session:
            return session.scalars(query.order_by(JobRow.number)).all()

    def pictures(self, job_id: str) -> Sequence[PictureRow]:
        """A job's pictures, in their order."""
        with self._sessions() as session:
            return _pictures(session, job_id)

    def close(self) -> None:
        """Let go of the file."""
        self._engine.dispose()


@contextmanager
def _disk_errors() -> Generator[None]:
    """A database that cannot write is a disk that cannot."""
    try:
        yield
    except OperationalError as error:
        raise OSError(errno.EIO, str(error.orig)) from None


def _pictures(session: Session, job_id: str) -> Sequence[PictureRow]:
    query = select(PictureRow).where(PictureRow.job_id == job_id).order_by(PictureRow.position)
    return session.scalars(query).all()


def _set_up_connection(connection: Any, _record: object) -> None:
    """Write-ahead logging: readers do not wait for writers, and a power cut leaves a whole database."""
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute("PRAGMA busy_timeout=10000")
    cursor.close()
