"""Inpainting: a part of a picture anew, the rest as it was."""

from collections.abc import Callable

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from modules.engine.sampling.loop import Denoiser
from modules.engine.sampling.wrappers import MaskedDenoiser, fading_mask
from modules.engine.tasks.easel import Easel, Walk
from modules.engine.vision.masks import Layout, filled, lay_out
from modules.engine.workbench import Workbench
from modules.schema.events import Job, Report
from modules.schema.media import Picture, flatten, read_image, read_mask, transparency_of
from modules.schema.requests import Inpaint
from modules.schema.results import Result


def inpaint(job: Job, bench: Workbench, report: Report) -> Result:
    """Walk from the picture under noise, holding what is outside the mask; then put the painted part back."""
    request = job.request
    assert isinstance(request, Inpaint)
    easel = Easel(job, bench, report)
    layout = lay_out(request, *_picture_and_mask(easel, request))
    image = layout.image if request.masking.content == "original" else filled(layout.image, layout.mask)
    clean = easel.encode(image, request)
    shades = latent_mask(layout.mask, clean, rounded=not request.masking.soft)
    seen = easel.model.sight(request.size, layout.image, layout.mask)
    walk = easel.walk(request.strength, seen=seen)

    def paint(batch: range) -> list[Picture]:
        latents = clean.expand(len(batch), -1, -1, -1)
        if request.masking.content == "latent noise":
            latents = latents * (1 - shades) + easel.noise(batch, request.size).draw() * shades
        elif request.masking.content == "latent nothing":
            latents = latents * (1 - shades)
        noise = easel.noise(batch, request.size)
        around, last = held_outside(walk, latents, shades, request.masking.soft)
        latents = easel.go(walk, batch, noise, latents, multiplier=request.noise_multiplier, around=around)
        return put_back(layout, easel.decode(last(latents)))

    return easel.paint(paint)


def held_outside(
    walk: Walk, original: Tensor, shades: Tensor, soft: bool
) -> tuple[Callable[[Denoiser], Denoiser], Callable[[Tensor], Tensor]]:
    """What keeps the latents outside the mask through a walk, and what brings them back after it."""
    fading = fading_mask(shades, walk.model.levels, walk.plan.noise_level or walk.plan.sigmas[0])
    in_noise = walk.plan.sampler.start == "vp"
    whole = (shades > 0).to(shades.dtype) if soft else shades

    def around(model: Denoiser) -> Denoiser:
        return MaskedDenoiser(model, original, fading if soft else lambda _sigma: shades, in_noise)

    return around, lambda latents: latents * whole + original * (1 - whole)


def latent_mask(mask: Image.Image, like: Tensor, rounded: bool) -> Tensor:
    """The mask [1, 1, h, w] over latents, 0 to 1."""
    rows, columns = like.shape[-2:]
    shades = np.array(mask.convert("RGB").resize((columns, rows)), dtype=np.float32)[..., 0] / 255
    return torch.from_numpy(np.around(shades) if rounded else shades)[None, None].to(like.device)


def put_back(layout: Layout, painted: list[Picture]) -> list[Picture]:
    """The whole pictures."""
    return [Picture.of(layout.put_back(picture.image())) for picture in painted]


def _picture_and_mask(easel: Easel, request: Inpaint) -> tuple[Image.Image, Image.Image]:
    picture = read_image(easel.job.inputs[request.picture])
    if not request.mask:
        return flatten(picture), transparency_of(picture)
    return flatten(picture), read_mask(easel.job.inputs[request.mask], grey=request.masking.soft)
