"""What an engine is and what a finished job was: the part that makes a result checkable."""

from pydantic import BaseModel, ConfigDict, Field

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
    diffusers: str = ""
    """diffusers' version."""
    transformers: str = ""
    """transformers' version."""
    threads: int = 0
    """How many threads share the work on a CPU; 0 elsewhere."""
    tiled: bool = False
    """Whether pictures are decoded in tiles, to save memory."""


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


class UsedFile(BaseModel):
    """A file in models/ that had a part in a picture. Comes from strangers too, hence the bounds."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    kind: str = Field(max_length=100)
    """"checkpoint", or what else it is to its picture."""
    name: str = Field(max_length=1000)
    """Path below the folder of its kind: a name to look for, never a path to open."""
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    """Of the whole file, in hexadecimal."""


class Environment(Frozen):
    """All that a request does not say and that its pixels depend on."""

    runtime: Runtime
    checkpoint: CheckpointRecord | None = None
    """None where nothing was painted."""
    further_files: tuple[UsedFile, ...] = ()
    """What was used beside the checkpoint."""

    @property
    def files(self) -> tuple[UsedFile, ...]:
        """All files that were used, the checkpoint first."""
        if self.checkpoint is None:
            return self.further_files
        checkpoint = UsedFile(kind="checkpoint", name=self.checkpoint.name, sha256=self.checkpoint.sha256)
        return (checkpoint, *self.further_files)


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
