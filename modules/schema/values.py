"""The small words that requests and answers are made of."""

from typing import Annotated, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

RANDOM_SEED = -1
"""Stands for "choose one for me"; replaced once, when the request is submitted."""

LARGEST_SEED = 2**32 - 1

Digest: TypeAlias = Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")]
"""The SHA-256 of an input file, in hexadecimal; empty where none is given."""

_OK = r"[^/\\\x00-\x1f\x7f<>:\"|?*"
FileStem: TypeAlias = Annotated[str, Field(pattern=rf"^({_OK}. ]({_OK}]{{0,98}}{_OK}. ])?)?$")]
"""A file's name without folders and ending, as every system takes it; empty where there is none."""


class Frozen(BaseModel):
    """A value: it cannot be changed, and it takes no field that it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Certain(Frozen):
    """What requests have in common that leave nothing to chance: their results come one by one, and have no seed."""

    @property
    def picture_count(self) -> int:
        """How many results the whole job has."""
        return 1

    @property
    def batch_count(self) -> int:
        """Results come one by one."""
        return self.picture_count

    @property
    def batch_size(self) -> int:
        """Results come one by one."""
        return 1

    def seed_of(self, index: int) -> int:
        """Nothing is left to chance."""
        return 0

    def inputs(self) -> tuple[str, ...]:
        """The digests of the input pictures that the request refers to."""
        return ()

    def films(self) -> tuple[str, ...]:
        """The digests of the input videos that the request refers to."""
        return ()


class Telling(Certain):
    """What requests have in common whose results are words instead of pictures."""
