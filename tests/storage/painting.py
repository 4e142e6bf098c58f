"""Pictures as an engine would hand them over."""

from modules.schema.events import Job, Painted
from modules.schema.media import Picture
from modules.schema.requests import Txt2Img
from modules.schema.results import CheckpointRecord, Environment, Runtime

RUNTIME = Runtime(device="cpu", device_name="A processor", dtype="float32", attention="sdpa", torch="2.13")


def picture(width: int = 8, height: int = 8, colour: bytes = b"\x10\x80\xf0") -> Picture:
    return Picture(width, height, colour * (width * height))


def painted(index: int = 0, seed: int = 7, checkpoint: str = "demo.safetensors", **size: int) -> Painted:
    record = CheckpointRecord(name=checkpoint, sha256="0123456789abcdef" * 4)
    return Painted(index, seed, picture(**size), Environment(runtime=RUNTIME, checkpoint=record), last_of_batch=True)


def job(name: str = "job", save: bool = True, **request: object) -> Job:
    return Job(name, Txt2Img.model_validate({"checkpoint": "demo.safetensors", "seed": 7, **request}), save=save)
