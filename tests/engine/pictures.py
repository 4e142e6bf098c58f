"""Drawings that pictures are made from, and jobs with input pictures."""

import io

from PIL import Image, ImageDraw

from modules.engine.engine import Engine
from modules.schema.events import Job, Painted, Progress
from modules.schema.media import digest_of
from modules.schema.requests import Request
from tests.looking import COLOURS


def drawing(
    background: str = "blue", colour: str = "red", box: tuple[int, int, int, int] = (32, 32, 96, 96), side: int = 128
) -> Image.Image:
    """A circle on a plain background, in the demo checkpoint's colours."""
    image = Image.new("RGB", (side, side), COLOURS[background])
    ImageDraw.Draw(image).ellipse(box, fill=COLOURS[colour])
    return image


def mask_of(box: tuple[int, int, int, int], size: tuple[int, int] = (128, 128)) -> Image.Image:
    """White in the box, black around it."""
    mask = Image.new("L", size)
    ImageDraw.Draw(mask).rectangle(box, fill=255)
    return mask


def png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def parity_inputs() -> dict[str, bytes]:
    """The picture and the mask of the cases that AUTOMATIC1111's program painted from them."""
    image, mask = Image.new("RGB", (80, 64), (40, 90, 160)), Image.new("RGB", (80, 64))
    ImageDraw.Draw(image).ellipse((20, 12, 60, 52), fill=(230, 180, 60))
    ImageDraw.Draw(mask).rectangle((8, 16, 40, 48), fill=(255, 255, 255))
    return {name: png(each.crop((8, 0, 72, 64))) for name, each in (("picture", image), ("mask", mask))}


def paint_from(engine: Engine, request: Request, **files: bytes) -> list[Image.Image]:
    """The pictures of a request whose fields of these names refer to these files."""
    request = request.model_copy(update={name: digest_of(data) for name, data in files.items()})
    images: list[Image.Image] = []

    def report(event: Progress | Painted) -> None:
        if isinstance(event, Painted):
            images.append(event.picture.image())

    engine.run(Job("test", request, inputs={digest_of(data): data for data in files.values()}), report)
    return images
