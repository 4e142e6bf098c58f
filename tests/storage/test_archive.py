import io
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from modules.schema.events import Job
from modules.schema.media import Picture
from modules.schema.results import Environment
from modules.settings import Settings
from modules.storage.archive import Archive
from modules.storage.infotext import write_infotext
from tests.storage.conftest import FullDisk
from tests.storage.painting import job, painted


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path)


@pytest.fixture
def archive(settings: Settings) -> Iterator[Archive]:
    archive = Archive(settings, "serve")
    yield archive
    archive.close()


@pytest.fixture
def later(settings: Settings) -> Iterator[Archive]:
    """The archive of the next run of the program, over the same folder."""
    archive = Archive(settings, "serve")
    yield archive
    archive.close()


def _state(settings: Settings, name: str) -> tuple[str, str]:
    """What the database itself says of a job."""
    connection = sqlite3.connect(settings.database)
    try:
        return connection.execute("select state, reason from jobs where id = ?", (name,)).fetchone()
    finally:
        connection.close()


def _change(settings: Settings, statement: str, *values: object) -> None:
    connection = sqlite3.connect(settings.database)
    try:
        with connection:
            assert connection.execute(statement, values).rowcount == 1
    finally:
        connection.close()


def _add(archive: Archive, name: str, state: str = "queued", **values: object) -> Job:
    added = job(name, **values)  # type: ignore[arg-type]
    archive.add_job(added)
    archive.set_state(name, state)
    return added


# jobs


def test_a_job_is_found_again_by_the_next_run(archive: Archive, later: Archive) -> None:
    added = _add(archive, "first", prompt="kırmızı ahır", sampling={"steps": 3}, batch_count=2)
    assert archive.job("first") == later.job("first") == added


def test_a_job_that_is_not_to_be_saved_stays_so(archive: Archive, later: Archive) -> None:
    _add(archive, "first", save=False)
    found = later.job("first")
    assert found is not None
    assert not found.save


def test_a_job_that_nobody_asked_for_is_not_found(archive: Archive) -> None:
    assert archive.job("nobody") is None
    assert archive.pictures("nobody") == []


def test_a_job_is_journalled_as_queued(archive: Archive, settings: Settings) -> None:
    archive.add_job(job("first"))
    assert _state(settings, "first") == ("queued", "")


def test_where_a_job_stands_is_recorded_with_its_reason(archive: Archive, settings: Settings) -> None:
    _add(archive, "first", "running")
    assert _state(settings, "first") == ("running", "")
    archive.set_state("first", "failed", "No memory.")
    assert _state(settings, "first") == ("failed", "No memory.")


def test_unfinished_jobs_come_oldest_first(archive: Archive, later: Archive) -> None:
    for name in ("zebra", "ant", "mole"):
        _add(archive, name)
    archive.set_state("mole", "running")
    assert [found.id for found in later.unfinished()] == ["zebra", "ant", "mole"]


@pytest.mark.parametrize("state", ["done", "failed", "cancelled"])
def test_a_job_that_has_ended_is_not_taken_up_again(state: str, archive: Archive, later: Archive) -> None:
    _add(archive, "ended", state)
    _add(archive, "waiting")
    assert [found.id for found in later.unfinished()] == ["waiting"]


def test_each_owner_takes_up_its_own_jobs(archive: Archive, settings: Settings) -> None:
    _add(archive, "page's")
    command_line = Archive(settings, "cli")
    try:
        assert command_line.unfinished() == []
        _add(command_line, "command's")
        assert [found.id for found in command_line.unfinished()] == ["command's"]
        assert [found.id for found in archive.unfinished()] == ["page's"]
    finally:
        command_line.close()


def test_an_unfinished_job_knows_how_many_pictures_it_has_delivered(archive: Archive, later: Archive) -> None:
    begun, fresh = _add(archive, "begun", batch_count=5), _add(archive, "fresh")
    for index in range(3):
        archive.keep(begun, painted(index))
    assert [(found.id, found.finished) for found in later.unfinished()] == [("begun", 3), (fresh.id, 0)]


def test_a_picture_that_was_skipped_counts_as_delivered_when_a_later_one_is_there(
    archive: Archive, later: Archive
) -> None:
    archive.keep(_add(archive, "begun", batch_count=5), painted(3))
    assert [found.finished for found in later.unfinished()] == [4]


@pytest.mark.parametrize(
    "request_left", ["", "not JSON", "{}x", '{"task": "hologram"}', '{"depth": 3}', '{"sampling": {"steps": 0}}']
)
def test_a_job_that_this_version_does_not_understand_is_failed_with_its_reason(
    request_left: str, archive: Archive, later: Archive, settings: Settings
) -> None:
    _add(archive, "foreign")
    _add(archive, "ours")
    _change(settings, "update jobs set request = ? where id = 'foreign'", request_left)
    assert [found.id for found in later.unfinished()] == ["ours"]
    state, reason = _state(settings, "foreign")
    assert state == "failed"
    assert "another version" in reason
    assert later.job("foreign") is None


# pictures


def test_a_picture_is_kept_with_its_parameters_and_found_again(archive: Archive, later: Archive) -> None:
    begun, delivered = _add(archive, "begun", prompt="a red barn"), painted(seed=11)
    ready = archive.keep(begun, delivered)
    assert later.pictures("begun") == [ready]
    assert ready.infotext == write_infotext(begun.request, delivered)
    assert (ready.index, ready.seed, ready.png) == (0, 11, None)
    with Image.open(io.BytesIO(ready.read())) as image:
        assert Picture.of(image) == delivered.picture
        assert image.info["parameters"] == ready.infotext


def test_pictures_come_in_their_order(archive: Archive, later: Archive) -> None:
    begun = _add(archive, "begun", batch_count=3)
    for index in (2, 0, 1):
        archive.keep(begun, painted(index, seed=7 + index))
    assert [(found.index, found.seed) for found in later.pictures("begun")] == [(0, 7), (1, 8), (2, 9)]


def test_pictures_of_another_job_are_not_among_them(archive: Archive) -> None:
    archive.keep(_add(archive, "first"), painted())
    archive.keep(_add(archive, "second"), painted(seed=8))
    assert [found.seed for found in archive.pictures("second")] == [8]


def test_a_picture_that_was_deleted_is_left_out(archive: Archive) -> None:
    begun = _add(archive, "begun")
    kept = [archive.keep(begun, painted(index)) for index in range(2)]
    assert kept[0].path is not None
    kept[0].path.unlink()
    assert archive.pictures("begun") == kept[1:]


def test_a_picture_that_was_recorded_just_before_a_power_cut_is_made_again_once(
    archive: Archive, later: Archive
) -> None:
    begun = _add(archive, "begun", batch_count=3)
    kept = [archive.keep(begun, painted(index)) for index in range(2)]
    assert kept[1].path is not None
    kept[1].path.unlink()  # what a cut leaves: the record, not yet the file
    (left,) = later.unfinished()
    assert left.finished == 1
    again = later.keep(left, painted(1))
    assert later.pictures("begun") == [kept[0], again]


def test_the_folder_may_be_moved_with_all_its_pictures(archive: Archive, settings: Settings, tmp_path: Path) -> None:
    archive.keep(_add(archive, "begun"), painted())
    archive.close()
    moved = Settings(data_dir=tmp_path / "moved")
    moved.data_dir.mkdir()
    settings.outputs.rename(moved.outputs)
    there = Archive(moved, "serve")
    try:
        (found,) = there.pictures("begun")
        assert found.path is not None
        assert found.path.is_relative_to(moved.outputs)
    finally:
        there.close()


def test_what_a_picture_was_made_with_is_recorded(archive: Archive, settings: Settings) -> None:
    delivered = painted()
    archive.keep(_add(archive, "begun"), delivered)
    connection = sqlite3.connect(settings.database)
    try:
        ((text, path),) = connection.execute("select environment, path from pictures").fetchall()
    finally:
        connection.close()
    assert Environment.model_validate_json(text) == delivered.environment
    assert (settings.outputs / path).is_file()


def test_pictures_that_are_not_to_be_saved_stay_off_the_disk(archive: Archive, settings: Settings) -> None:
    begun, delivered = _add(archive, "begun", save=False), painted()
    ready = archive.keep(begun, delivered)
    assert ready.path is None
    assert ready.read() == archive.encode(begun, delivered).read()
    assert list(settings.outputs.rglob("*.png")) == []
    assert archive.pictures("begun") == []


def test_encoding_alone_gives_the_same_file_and_keeps_nothing(archive: Archive, settings: Settings) -> None:
    begun, delivered = _add(archive, "begun"), painted()
    encoded = archive.encode(begun, delivered)
    assert list(settings.outputs.rglob("*.png")) == []
    assert encoded.read() == archive.keep(begun, delivered).read()


# where the database lies, and when the disk refuses


@pytest.mark.parametrize("name", ["what?", "a#b", "50% off", "ad klasörü", "with space", "semi;colon"])
def test_the_data_folder_may_have_any_name(name: str, tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / name)
    archive = Archive(settings, "serve")
    try:
        _add(archive, "first")
    finally:
        archive.close()
    assert settings.database.stat().st_size > 0
    assert _state(settings, "first") == ("queued", "")


def test_a_picture_that_cannot_be_saved_is_not_recorded(archive: Archive, settings: Settings) -> None:
    begun = _add(archive, "begun")
    (settings.outputs / "txt2img").write_text("a file where the folder should be")
    with pytest.raises(OSError, match="txt2img"):
        archive.keep(begun, painted())
    assert archive.pictures("begun") == []
    assert archive.unfinished() == [begun]


def test_a_record_that_cannot_be_written_is_the_disks_refusal_too(archive: Archive, full_disk: FullDisk) -> None:
    begun = job("begun", prompt="x" * 20_000)
    with full_disk(4096), pytest.raises(OSError, match="disk"):
        archive.add_job(begun)
    assert archive.job("begun") is None
    archive.add_job(begun)
    assert archive.job("begun") == begun
