"""All that a picture file says about how it was made."""

from dataclasses import dataclass

from modules.schema.record import Record
from modules.storage.dialects import Reading, understand
from modules.storage.foreign import read_foreign
from modules.storage.infotext import read_infotext
from modules.storage.metadata import PARAMETERS, RECORD, Metadata, read_metadata
from modules.storage.record import UnreadableRecord, read_record


@dataclass(frozen=True)
class PictureInfo:
    """What is in a file: its texts, what they ask for, our record, and sentences about what is not understood."""

    metadata: Metadata
    text: str = ""
    """The parameters in the common form; made from other programs' metadata where there is only that."""
    reading: Reading | None = None
    record: Record | None = None
    record_problem: str = ""
    notes: tuple[str, ...] = ()


def read_picture(data: bytes) -> PictureInfo:
    """Read a picture file's bytes. Raises UnreadablePicture."""
    metadata = read_metadata(data)
    record, problem = None, ""
    if RECORD in metadata.texts:
        try:
            record = read_record(metadata.texts[RECORD])
        except UnreadableRecord as error:
            problem = str(error)
    foreign = read_foreign(metadata.texts)
    if foreign is not None and foreign.infotext is not None:
        infotext, text = foreign.infotext, foreign.infotext.text()
    else:
        text = metadata.texts.get(PARAMETERS, "")
        infotext = read_infotext(text) if text.strip() else None
    reading = understand(infotext) if infotext is not None else None
    notes = (foreign.note,) if foreign is not None and (foreign.infotext or not text) else ()
    return PictureInfo(metadata, text, reading, record, problem, notes)


def read_text(text: str) -> Reading:
    """What a text that somebody pasted asks for."""
    return understand(read_infotext(text))
