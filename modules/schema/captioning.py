"""Words for videos and pictures: what can be asked for, and what comes back."""

from typing import Literal, Self

from pydantic import Field, model_validator

from modules.schema.values import Digest, FileStem, Frozen, Telling

MOST_VIDEOS = 200
"""Videos of one job."""

MOST_WINDOWS = 5_000
"""Windows of one video."""


class Viewing(Frozen):
    """Which part of a video the model sees, at once or in windows that move over it. All in seconds."""

    start: float = Field(
        default=0.0,
        ge=0.0,
        le=86_400.0,
        title="From second",
        description="Where the part begins that is looked at.",
        json_schema_extra={"step": 0.1},
    )
    end: float = Field(
        default=0.0,
        ge=0.0,
        le=86_400.0,
        title="To second",
        description="Where it ends; 0 is the video's end.",
        json_schema_extra={"step": 0.1},
    )
    window: float = Field(
        default=0.0,
        ge=0.0,
        le=600.0,
        title="Window",
        description="Seconds that are seen at once while a window moves over the video; 0: no timeline.",
        json_schema_extra={"step": 0.1},
    )
    step: float = Field(
        default=0.0,
        ge=0.0,
        le=600.0,
        title="Window step",
        description="By how many seconds the window moves on; 0: by half of itself.",
        json_schema_extra={"step": 0.1},
    )

    def part(self, length: float) -> tuple[float, float]:
        """Where the part begins and ends in a video whose last frame comes after `length` seconds.

        Raises ValueError with a sentence when it lies behind the end.
        """
        if self.start > length:
            raise ValueError(f"The part begins at second {self.start:g}, but the last frame is at {length:.2f}.")
        return self.start, min(self.end, length) if self.end else length

    def windows(self, length: float) -> list[tuple[float, float]]:
        """Beginning and end of each window over the part; the last one ends with it. Empty without a window.

        Raises ValueError as part() does, and when there would be too many.
        """
        begin, end = self.part(length)
        if not self.window:
            return []
        if self.window >= end - begin:
            return [(begin, end)]
        step = self.step or self.window / 2
        if (end - begin) / step > MOST_WINDOWS:
            raise ValueError(f"There would be more than {MOST_WINDOWS} windows. Let the window move on further.")
        count = int((end - begin - self.window) / step + 1e-6) + 1
        found = [(begin + step * index, begin + step * index + self.window) for index in range(count)]
        if found[-1][1] < end - 1e-3:
            found.append((end - self.window, end))
        return found

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> Self:
        if self.end and self.end < self.start:
            raise ValueError(f"the part ends at second {self.end:g}, before it begins at {self.start:g}")
        return self


class Wording(Frozen):
    """How a model that writes sentences goes about it; others take no notice."""

    beams: int = Field(
        default=4, ge=1, le=16, title="Beams", description="Sentences that are followed at once; more is slower."
    )
    shortest: int = Field(
        default=5, ge=1, le=100, title="Shortest sentence", description="Tokens that a sentence has at least."
    )
    longest: int = Field(
        default=30, ge=2, le=200, title="Longest sentence", description="Tokens that a sentence has at most."
    )

    @model_validator(mode="after")
    def _longest_is_not_shorter(self) -> Self:
        if self.longest < self.shortest:
            raise ValueError(f"the longest sentence ({self.longest}) is shorter than the shortest ({self.shortest})")
        return self


class Caption(Telling):
    """Words for videos, one result for each."""

    task: Literal["caption"] = "caption"
    videos: tuple[Digest, ...] = Field(
        default=(), max_length=MOST_VIDEOS, title="Videos", description="The videos, by their digests."
    )
    names: tuple[FileStem, ...] = Field(
        default=(), max_length=MOST_VIDEOS, title="Names", description="What the videos' files are called."
    )
    model: str = Field(
        default="",
        title="Video model",
        description="A folder in models/TimeSformer/; empty takes the first usable one.",
    )
    viewing: Viewing = Viewing()
    frames: int = Field(
        default=0,
        ge=0,
        le=128,
        title="Frames",
        description="How many frames the model sees at once; 0: as many as it was trained with.",
    )
    top: int = Field(default=5, ge=1, le=20, title="Labels", description="How many labels are told, likeliest first.")
    wording: Wording = Wording()
    overlay: bool = Field(
        default=False, title="Where it looked", description="Make a clip of the frames with what the model attended to."
    )

    @model_validator(mode="after")
    def _each_video_has_a_name(self) -> Self:
        if self.names and len(self.names) != len(self.videos):
            raise ValueError(f"there are {len(self.videos)} videos and {len(self.names)} names; give one for each")
        return self

    @property
    def picture_count(self) -> int:
        """One result for each video."""
        return len(self.videos)

    def alone(self, index: int) -> Self:
        """The request for video `index` of the job and no other."""
        names = self.names[index : index + 1]
        return self.model_copy(update={"videos": self.videos[index : index + 1], "names": names})

    def films(self) -> tuple[str, ...]:
        """The digests of the videos."""
        return self.videos


class Interrogate(Telling):
    """Words for a picture."""

    task: Literal["interrogate"] = "interrogate"
    picture: Digest = Field(default="", title="Picture", description="The picture to describe, by its digest.")
    model: str = Field(
        default="",
        title="Picture model",
        description="A folder in models/CLIP/ or models/BLIP/; empty: the first BLIP's sentence and the first CLIP's"
        " words, as far as they are there.",
    )
    wording: Wording = Wording()

    def inputs(self) -> tuple[str, ...]:
        """The digest of the picture."""
        return (self.picture,) if self.picture else ()

    def alone(self, index: int) -> Self:
        """There is one result."""
        return self


class Label(Frozen):
    """Something a model may have seen, and how sure it is, 0 to 1."""

    text: str
    probability: float


class Passage(Frozen):
    """What happens between two moments, in seconds."""

    start: float
    end: float
    text: str
    labels: tuple[Label, ...] = ()


class Description(Frozen):
    """What a model says of a video or a picture."""

    kind: Literal["description"] = "description"
    name: str = ""
    """What the file is called."""
    text: str = ""
    """The words alone: a label, or what was written; what becomes a prompt."""
    sentence: str = ""
    """The words as they are told to a person."""
    labels: tuple[Label, ...] = ()
    """Likeliest first; empty for models that write."""
    moments: tuple[float, ...] = ()
    """When the frames were that the model saw, in seconds."""
    timeline: tuple[Passage, ...] = ()
    seconds: float = 0.0
    """The moment of the video's last frame."""
    width: int = 0
    height: int = 0
    model: str = ""
    licence: str = ""
    """As the model's card says."""
    notes: tuple[str, ...] = ()
    problem: str = ""
    """Why there are no words, for one of several videos."""
