"""The record that each picture carries: what it takes to make it again and to say whether it is the same.

docs/record.md describes the format for other programs.
"""

from typing import Annotated, Any, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from modules.schema.events import Painted
from modules.schema.requests import LARGEST_SEED, Img2Img, Request, Upscale
from modules.schema.results import UsedFile

FORMAT = 1
"""Grows when a reader of the old format would misunderstand the new one."""

Sha256: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Name: TypeAlias = Annotated[str, StringConstraints(max_length=1000)]
Fact: TypeAlias = bool | int | float | Name


class Record(BaseModel):
    """One picture's record. What a later version adds to it is left out when it is read.

    `request` stays as it was written, since it may come from a version, or a task, that asks in other words.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    format: int = Field(default=FORMAT, ge=1)
    request: dict[str, Any]
    """The resolved request of the whole job; where each picture of it has a source of its own, of this one alone."""
    index: int = Field(ge=0)
    """Which picture of the job, from 0."""
    seed: int = Field(ge=0, le=2 * LARGEST_SEED)
    """The picture's own seed."""
    pixels: Sha256
    """schema.media.Picture.digest() of what was painted."""
    files: tuple[UsedFile, ...] = Field(max_length=1000)
    environment: dict[Name, Fact] = Field(max_length=100)
    """What the pixels depend on beside request and files."""
    versions: dict[Name, Name] = Field(max_length=100)
    """Of this program and of the libraries that do the work."""

    @property
    def checkpoint(self) -> UsedFile | None:
        """The checkpoint that was used."""
        return next((file for file in self.files if file.kind == "checkpoint"), None)


def record_of(request: Request, painted: Painted, version: str) -> Record:
    """The record of a picture of that job, painted by that version of this program."""
    environment = painted.environment.runtime.model_dump()
    libraries = {name: environment.pop(name) for name in ("torch", "diffusers", "transformers")}
    index = painted.index
    if isinstance(request, Upscale) or (isinstance(request, Img2Img) and request.series.pictures):
        request, index = request.alone(index), 0  # the others' digests and names are none of this picture's business
    return Record(
        request=request.model_dump(mode="json"),
        index=index,
        seed=painted.seed,
        pixels=painted.picture.digest(),
        files=painted.environment.files,
        environment=environment,
        versions={"kararli": version, **libraries},
    )
