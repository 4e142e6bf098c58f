"""Image to image."""

from torch.nn.functional import interpolate

from modules.engine.tasks.easel import Easel
from modules.engine.vision.resizing import resized
from modules.engine.workbench import Workbench
from modules.schema.events import Job, Report
from modules.schema.media import Picture
from modules.schema.requests import Img2Img
from modules.schema.results import Result


def img2img(job: Job, bench: Workbench, report: Report) -> Result:
    """Bring the picture to its size, encode it, wrap it in noise, walk that down."""
    request = job.request
    assert isinstance(request, Img2Img)
    easel = Easel(job, bench, report)
    model, image = easel.model, easel.picture(request.picture)
    if request.resize_mode != "latent":
        image = resized(image, request.size, request.resize_mode, bench.upscaler(request.upscaler))
    clean = model.vae.encode([image])
    if request.resize_mode == "latent":
        clean = interpolate(clean, model.latent_shape(request.size)[1:], mode="bilinear")
        image = resized(image, request.size, "stretch")
    seen = model.sight(request.size, image)
    if model.architecture.edits and seen is not None:
        walk = easel.edit_walk(request.strength, seen, request.image_guidance_scale)
    else:
        walk = easel.walk(request.strength, seen=seen)

    def paint(batch: range) -> list[Picture]:
        latents = clean.expand(len(batch), -1, -1, -1)
        noise = easel.noise(batch, request.size)
        return easel.decode(easel.go(walk, batch, noise, latents, multiplier=request.noise_multiplier))

    return easel.paint(paint)
