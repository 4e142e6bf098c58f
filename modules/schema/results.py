"""What an engine is and what a finished job was: the part that makes a result checkable."""

from modules.schema.requests import Frozen, Request


class Runtime(Frozen):
    """What a worker runs on."""

    device: str
    """As torch names it: "cpu", "cuda:0", "mps"."""
    device_name: str
    """As people name it: the processor's or the graphics card's model."""
    dtype: str
    """What the UNet and the text encoder compute in: "float32", "bfloat16" or "float16"."""
    attention: str
    """"xformers" or "sdpa"."""
    torch: str
    """torch's version."""


class CheckpointRecord(Frozen):
    """Which weights were used."""

    name: str
    """Path below models/Stable-diffusion/."""
    sha256: str
    """Of the whole file, in hexadecimal."""

    @property
    def short_hash(self) -> str:
        """The first ten digits, as pictures' parameters carry them."""
        return self.sha256[:10]


class Environment(Frozen):
    """All that a request does not say and that its pixels depend on."""

    runtime: Runtime
    checkpoint: CheckpointRecord


class Timings(Frozen):
    """Seconds, each counted once: `total` is more than the sum of the others by what lies between them."""

    load: float = 0.0
    sampling: float = 0.0
    decode: float = 0.0
    total: float = 0.0


class Result(Frozen):
    """What a job came to. Its pictures were handed over one by one, as they were painted."""

    request: Request
    environment: Environment
    timings: Timings
