"""What the parts of requests are made of."""

from typing import Annotated, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

RANDOM_SEED = -1
"""Stands for "choose one for me"; replaced once, when the request is submitted."""

LARGEST_SEED = 2**32 - 1

Digest: TypeAlias = Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")]
"""The SHA-256 of an input picture's file, in hexadecimal; empty where none is given."""


class Frozen(BaseModel):
    """A value: it cannot be changed, and it takes no field that it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")
