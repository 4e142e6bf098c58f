"""A picture enlarged, and painted over tile by tile."""

import numpy as np
from PIL import Image

from modules.engine.tasks.easel import Easel, Walk
from modules.engine.vision.enlarging import grown
from modules.engine.vision.tiles import in_tiles, plan_tiles
from modules.engine.workbench import Workbench
from modules.schema.events import Job, Report
from modules.schema.media import Picture
from modules.schema.requests import SdUpscale
from modules.schema.results import Result

TILE_SEEDS = 104_729
"""How far the seeds of neighbouring tiles lie apart, so that each has noise of its own."""

UNIT = 8
"""Pixels that a latent stands for; painted sizes are multiples of it."""


def sdupscale(job: Job, bench: Workbench, report: Report) -> Result:
    """Enlarge the picture, cut it into tiles that overlap, paint each from itself, and lay them into each other."""
    request = job.request
    assert isinstance(request, SdUpscale)
    easel = Easel(job, bench, report)
    image = easel.picture(request.picture)
    size = round(image.width * request.redrawing.scale), round(image.height * request.redrawing.scale)
    pixels = np.asarray(grown(image, size, bench.upscaler(request.redrawing.upscaler)))
    plan = plan_tiles(size, request.size, request.redrawing.overlap, ramp=1.0, unit=1)
    shared = None if easel.model.architecture.picture_channels else easel.walk(request.strength)

    def paint_one(index: int) -> Picture:
        number = 0

        def work(tile: np.ndarray) -> np.ndarray:
            nonlocal number
            painted = _paint_tile(easel, request, shared, tile, index, number, plan.count)
            number += 1
            return painted

        return Picture.of(Image.fromarray(in_tiles(pixels, plan, 1, work)))

    return easel.paint(lambda batch: [paint_one(index) for index in batch])


def _paint_tile(
    easel: Easel, request: SdUpscale, shared: Walk | None, tile: np.ndarray, index: int, number: int, count: int
) -> np.ndarray:
    """A tile (8-bit) painted from itself, with values from 0 to 1. A part that is no multiple of 8 is stretched."""
    image = Image.fromarray(tile)
    inner = image.resize(tuple(-(-side // UNIT) * UNIT for side in image.size), Image.Resampling.LANCZOS)  # type: ignore[arg-type]
    clean = easel.model.vae.encode([inner])
    walk = shared or easel.walk(request.strength, seen=easel.model.sight(inner.size, inner))
    batch, steps = range(index, index + 1), walk.plan.count
    noise = easel.noise(batch, inner.size, offset=number * TILE_SEEDS)
    latents = easel.go(
        walk, batch, noise, clean, multiplier=request.noise_multiplier, before=number * steps, total=count * steps
    )
    [painted] = easel.decode(latents)
    result = painted.image().resize(image.size, Image.Resampling.LANCZOS)
    return np.asarray(result, np.float32) / 255
