"""Our record inside pictures, as text: written small, read with distrust."""

from pydantic import TypeAdapter, ValidationError

from modules import __version__
from modules.schema.errors import KararliError
from modules.schema.events import Painted
from modules.schema.record import FORMAT, Record, record_of
from modules.schema.requests import Request
from modules.schema.values import Telling

LARGEST_RECORD = 1_000_000
"""Characters of a record that are read."""

_REQUESTS: TypeAdapter[Request] = TypeAdapter(Request)


class UnreadableRecord(KararliError):
    """A record that cannot be understood here, with the reason."""


def write_record(request: Request, painted: Painted) -> str:
    """The record of a picture of that job, as JSON. The same picture has the same record whenever it is made."""
    return record_of(request, painted, __version__).model_dump_json()


def read_record(text: str) -> Record:
    """Take a record apart. Raises UnreadableRecord; what a later version has added is left out."""
    if len(text) > LARGEST_RECORD:
        raise UnreadableRecord(f"The record in this picture is too long ({len(text):,} characters); it is not read.")
    try:
        record = Record.model_validate_json(text)
    except (ValidationError, RecursionError):
        raise UnreadableRecord("The record in this picture is damaged. Use another copy of the picture.") from None
    if record.format > FORMAT:
        raise UnreadableRecord(
            f"The record in this picture has format {record.format}; this version reads up to {FORMAT}. Update Kararli."
        )
    return record


def request_of(record: Record) -> Request:
    """The request of the whole job. Raises UnreadableRecord when it asks in words that are not known here."""
    try:
        request = _REQUESTS.validate_python(record.request)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the request"
        raise UnreadableRecord(
            f"This version cannot run what the picture asks for ({place}: {first['msg']}). It was made by Kararli"
            f" {record.versions.get('kararli', '?')}; use that version, or a later one."
        ) from None
    if isinstance(request, Telling):
        raise UnreadableRecord("The record in this picture asks for words, which no picture is made by.")
    if record.index >= request.picture_count or record.seed != request.seed_of(record.index):
        raise UnreadableRecord("The record in this picture contradicts itself: its seed is not that of its request.")
    return request


def request_of_picture(record: Record) -> Request:
    """The request that paints this one picture of the job. Raises UnreadableRecord."""
    return request_of(record).alone(record.index)
