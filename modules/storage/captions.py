"""What was said of videos as files for other programs: subtitles, tables, JSON."""

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from pathlib import Path

from modules.schema.captioning import Description, Label, Passage
from modules.schema.errors import InvalidRequest

COLUMNS = ("video", "text", "probability", "model", "seconds", "width", "height", "problem")
"""Of the table, before those of further labels."""

Write = Callable[[Sequence[Description]], str]


def as_srt(descriptions: Sequence[Description]) -> str:
    """SubRip subtitles of one video's timeline."""
    blocks = [
        f"{number}\n{_clock(passage.start, ',')} --> {_clock(passage.end, ',')}\n{passage.text}\n"
        for number, passage in enumerate(passages_of(descriptions[0]), 1)
    ]
    return "\n".join(blocks)


def as_vtt(descriptions: Sequence[Description]) -> str:
    """WebVTT subtitles (https://www.w3.org/TR/webvtt1/) of one video's timeline."""
    blocks = [
        f"{_clock(passage.start, '.')} --> {_clock(passage.end, '.')}\n{_escaped(passage.text)}\n"
        for passage in passages_of(descriptions[0])
    ]
    return "\n".join(["WEBVTT\n", *blocks])


def as_json(descriptions: Sequence[Description]) -> str:
    """All that was said, as it is known here: a list with one entry a video."""
    return json.dumps([one.model_dump(mode="json") for one in descriptions], indent=1, ensure_ascii=False) + "\n"


def as_csv(descriptions: Sequence[Description]) -> str:
    """A table with a line for each video: its words, then its labels with their probabilities."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    most = max((len(one.labels) for one in descriptions), default=0)
    places = [name for place in range(1, most + 1) for name in (f"label {place}", f"probability {place}")]
    table.writerow([*COLUMNS, *places])
    for one in descriptions:
        chance = f"{one.labels[0].probability:.4f}" if one.labels else ""
        labels = [cell for label in one.labels for cell in (_cell(label.text), f"{label.probability:.4f}")]
        said = (_cell(one.name), _cell(one.text), chance, _cell(one.model))
        table.writerow([*said, f"{one.seconds:g}", one.width, one.height, one.problem, *labels])
    return text.getvalue()


WRITERS: Mapping[str, Write] = {".srt": as_srt, ".vtt": as_vtt, ".json": as_json, ".csv": as_csv}
"""By a file's ending."""


def written_as(path: Path, descriptions: Sequence[Description]) -> str:
    """What the file of that name is to hold. Raises InvalidRequest when its ending says nothing."""
    check_ending(path, len(descriptions))
    return WRITERS[path.suffix.lower()](descriptions)


def check_ending(path: Path, count: int) -> None:
    """Raises InvalidRequest unless so many descriptions can be written into a file of that name."""
    if path.suffix.lower() not in WRITERS:
        raise InvalidRequest(f"{path.name}: the ending has to be one of {', '.join(WRITERS)}.", "output")
    if count > 1 and path.suffix.lower() in (".srt", ".vtt"):
        raise InvalidRequest(f"{path.name}: subtitles are for one video. Give .json or .csv for several.", "output")


def passages_of(description: Description) -> list[Passage]:
    """The timeline, passages of the same words joined; without a timeline the words over the whole."""
    if not description.timeline:
        end = max(description.seconds, 0.001)
        return [Passage(start=0.0, end=end, text=description.text, labels=description.labels)]
    groups = [list(group) for _, group in groupby(description.timeline, key=lambda passage: passage.text)]
    return [
        Passage(start=group[0].start, end=group[-1].end, text=group[0].text, labels=_mean(group)) for group in groups
    ]


def _mean(passages: Sequence[Passage]) -> tuple[Label, ...]:
    """The first label with its mean probability."""
    firsts = [passage.labels[0].probability for passage in passages if passage.labels]
    return (Label(text=passages[0].text, probability=sum(firsts) / len(firsts)),) if firsts else ()


def _clock(seconds: float, mark: str) -> str:
    thousandths = round(seconds * 1000)
    minutes, rest = divmod(thousandths, 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{rest // 1000:02}{mark}{rest % 1000:03}"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _cell(text: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
