"""The "parameters" text that travels inside pictures, in the form that AUTOMATIC1111's program introduced."""

import json
from pathlib import PurePosixPath

from modules import __version__
from modules.schema.events import Painted
from modules.schema.requests import Request


def write_infotext(request: Request, painted: Painted) -> str:
    """Prompt, negative prompt and one line of `key: value` pairs for one picture of a job."""
    checkpoint = painted.environment.checkpoint
    pairs = {
        "Steps": request.sampling.steps,
        "Sampler": request.sampling.sampler,
        "Schedule type": request.sampling.schedule,
        "CFG scale": request.sampling.guidance_scale,
        "Seed": painted.seed,
        "Size": f"{painted.picture.width}x{painted.picture.height}",
        "Model hash": checkpoint.short_hash,
        "Model": PurePosixPath(checkpoint.name).stem,
        "RNG": "CPU",
        "Version": f"Kararli {__version__}",
    }
    lines = [request.prompt]
    if request.negative_prompt:
        lines.append(f"Negative prompt: {request.negative_prompt}")
    lines.append(", ".join(f"{key}: {_quoted(value)}" for key, value in pairs.items()))
    return "\n".join(lines).strip()


def _quoted(value: object) -> str:
    text = str(value)
    return json.dumps(text, ensure_ascii=False) if any(mark in text for mark in ',:\n"') else text
