"""/sdapi/v1/png-info: a picture's parameters, as AUTOMATIC1111's clients expect them."""

import base64
import binascii
import re

from modules.api.errors import ApiError
from modules.api.sdapi_models import PngInfoAnswer, PngInfoBody
from modules.storage.infotext import Infotext
from modules.storage.metadata import PARAMETERS
from modules.storage.opening import LARGEST_FILE, UnreadablePicture
from modules.storage.reading import read_picture

DEFAULTS = {
    "Clip skip": "1", "Hires resize-1": "0", "Hires resize-2": "0", "Hires sampler": "Use same sampler",
    "Hires schedule type": "Use same scheduler", "Hires checkpoint": "Use same checkpoint", "Hires prompt": "",
    "Hires negative prompt": "", "Mask mode": "Inpaint masked", "Masked content": "original",
    "Inpaint area": "Whole picture", "Masked area padding": "32", "RNG": "GPU", "Schedule type": "Automatic",
    "Emphasis": "Original", "VAE Encoder": "Full", "VAE Decoder": "Full", "FP8 weight": "Disable",
}  # fmt: skip
"""What that program puts where a text is silent."""


def picture_info(body: PngInfoBody) -> PngInfoAnswer:
    """Read a picture's texts. Raises ApiError for what is no picture."""
    try:
        info = read_picture(_decoded(body.image))
    except UnreadablePicture as error:
        raise ApiError(400, str(error)) from None
    items = {key: text for key, text in info.metadata.texts.items() if key != PARAMETERS}
    parameters = _parameters(info.reading.infotext) if info.reading is not None else {}
    return PngInfoAnswer(info=info.text, items=items, parameters=parameters)


def _decoded(image: str) -> bytes:
    if len(image) > LARGEST_FILE * 4 // 3 + 100:
        raise ApiError(413, f"The picture is larger than {LARGEST_FILE // 2**20} MB; it is not read.")
    content = image.partition(",")[2] if image.startswith("data:") else image
    try:
        return base64.b64decode("".join(content.split()), validate=True)
    except (binascii.Error, ValueError):
        raise ApiError(400, "image is not base64. Send the file's bytes in base64.") from None


def _parameters(infotext: Infotext) -> dict[str, str]:
    """The text taken apart, with sizes as two numbers, and that program's defaults where it is silent."""
    found = {"Prompt": infotext.prompt, "Negative prompt": infotext.negative_prompt}
    for key, value in infotext.pairs.items():
        if match := re.fullmatch(r"(\d+)x(\d+)", value):
            found[f"{key}-1"], found[f"{key}-2"] = match[1], match[2]
        else:
            found[key] = value
    return {**found, **{key: value for key, value in DEFAULTS.items() if key not in found}}
