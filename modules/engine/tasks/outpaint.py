"""Outpainting: a picture continued beyond its sides, in one round or in several."""

from PIL import Image

from modules.engine.tasks.easel import Easel
from modules.engine.tasks.inpaint import held_outside, latent_mask
from modules.engine.vision.canvases import Extension, canvas_layout, extensions
from modules.engine.workbench import Workbench
from modules.schema.events import Job, Report
from modules.schema.media import Picture
from modules.schema.requests import Outpaint
from modules.schema.results import Result

ROUND_SEEDS = 7919
"""How far the seeds of a round lie from those of the round before, so that each has noise of its own."""


def outpaint(job: Job, bench: Workbench, report: Report) -> Result:
    """Lay the picture on a larger canvas, fill what is new, and paint that; round by round."""
    request = job.request
    assert isinstance(request, Outpaint)
    easel = Easel(job, bench, report)
    picture, rounds = easel.picture(request.picture), extensions(request.canvas)

    def paint(batch: range) -> list[Picture]:
        images = [picture] * len(batch)
        for number, extension in enumerate(rounds):
            images = _extend(easel, request, batch, images, extension, number)
        return [Picture.of(image) for image in images]

    return easel.paint(paint)


def _extend(
    easel: Easel, request: Outpaint, batch: range, images: list[Image.Image], extension: Extension, number: int
) -> list[Image.Image]:
    """One round over the pictures of a batch."""
    budget = request.size[0] * request.size[1]
    layouts = [
        canvas_layout(image, extension, request.canvas, budget, easel.model.architecture.resolution // 2, seed)
        for image, seed in zip(images, map(request.seed_of, batch), strict=True)
    ]
    clean = easel.model.vae.encode([layout.image for layout in layouts])
    mask = layouts[0].mask
    shades = latent_mask(mask, clean, rounded=True)
    if request.canvas.fill == "latent noise":
        other = easel.noise(batch, mask.size, offset=(number + 1) * ROUND_SEEDS + 1)
        clean = clean * (1 - shades) + other.draw() * shades
    seen = easel.model.sight(mask.size, layouts[0].image, mask)
    walk = easel.walk(request.strength, seen=seen)
    around, last = held_outside(walk, clean, shades, soft=False)
    steps = walk.plan.count
    latents = easel.go(
        walk, batch, easel.noise(batch, mask.size, offset=number * ROUND_SEEDS), clean,
        multiplier=request.noise_multiplier, around=around, before=number * steps, total=request.canvas.rounds * steps,
    )  # fmt: skip
    painted = easel.decode(last(latents))
    return [layout.put_back(picture.image()) for layout, picture in zip(layouts, painted, strict=True)]
