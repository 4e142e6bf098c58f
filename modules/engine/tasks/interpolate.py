"""Animation: frames between keyframes, in batches; or one after the other, each painted over the last one."""

from collections import defaultdict

import torch
from PIL import Image
from torch import Tensor

from modules.engine.sampling.noise import SeededNoise
from modules.engine.sampling.plan import Plan
from modules.engine.tasks.easel import Easel
from modules.engine.tasks.keyframes import Keyframes
from modules.engine.vision.camera import coloured_like, moved
from modules.engine.workbench import Workbench
from modules.schema.easing import curve_at
from modules.schema.events import FIRST_FRAME, LAST_FRAME, Job, Report
from modules.schema.media import Picture, flatten, read_image
from modules.schema.requests import Interpolate
from modules.schema.results import Result


def interpolate(job: Job, bench: Workbench, report: Report) -> Result:
    """Paint the frames that are still to be made: each from what its two keyframes come to, or from the last frame."""
    request = job.request
    assert isinstance(request, Interpolate)
    easel = Easel(job, bench, report)
    keyframes = Keyframes(easel, request)
    if request.mode == "camera":
        return easel.paint(_Journey(easel, request, keyframes).paint)
    return easel.paint(lambda batch: _paint(easel, request, keyframes, batch), same_batches=True)


def _paint(easel: Easel, request: Interpolate, keyframes: Keyframes, batch: range) -> list[Picture]:
    places = {index: request.place(index) for index in batch}
    plans: dict[int, Plan] = {}
    groups: dict[int | None, list[int]] = defaultdict(list)
    for index, place in places.items():
        strength = keyframes.strength(place) if request.mode != "morph" else None
        plan = keyframes.plan if strength is None else _later(easel, request, strength)
        plans[index] = plan
        groups[None if strength is None else plan.count].append(index)
    total, before = sum(plans[group[0]].count for group in groups.values()), 0
    latents: dict[int, Tensor] = {}
    for count, group in groups.items():
        own, plan = [places[index] for index in group], plans[group[0]]
        noise = keyframes.noise(own, [request.frame(index) for index in group])
        clean = None if count is None else torch.cat([keyframes.clean(place) for place in own])
        walked = easel.go(keyframes.walk(own, plan), batch, noise, clean, before=before, total=total)
        latents |= dict(zip(group, walked.split(1), strict=True))
        before += plan.count
    pictures = easel.decode(torch.cat([latents[index] for index in batch]))
    if request.mode != "morph":
        return pictures
    return [
        Picture.of(keyframes.restored(picture.image(), place))
        for picture, place in zip(pictures, places.values(), strict=True)
    ]


def _later(easel: Easel, request: Interpolate, strength: float) -> Plan:
    levels = easel.model.levels
    return easel.bench.later_plan(request.sampling, request.stochastic, levels, strength=strength, exact=False)


class _Journey:
    """A camera's way: each frame is the last one, moved, in its first colours, and painted over."""

    def __init__(self, easel: Easel, request: Interpolate, keyframes: Keyframes) -> None:
        self._easel, self._request, self._keyframes = easel, request, keyframes
        self._first = self._kept(FIRST_FRAME)
        self._last = self._kept(LAST_FRAME)
        self._frame = request.frame(easel.job.finished - 1) if easel.job.finished else -1

    def paint(self, batch: range) -> list[Picture]:
        """Paint the next frame."""
        [index] = batch
        frame, place = self._request.frame(index), self._request.place(index)
        noise = SeededNoise([self._keyframes.seeded(self._request.seed_of(index))])
        strength, start = self._start(frame)
        if start is None:
            strength = self._keyframes.strength(place)
            clean = None if strength is None else self._keyframes.clean(place)
        else:
            clean = self._easel.model.vae.encode([start])
        plan = None if strength is None else _later(self._easel, self._request, strength)
        [picture] = self._easel.decode(self._easel.go(self._keyframes.walk([place], plan), batch, noise, clean))
        self._last, self._frame = picture.image(), frame
        self._first = self._first or self._last
        return [picture]

    def _start(self, frame: int) -> tuple[float | None, Image.Image | None]:
        """How strongly to paint over what; nothing for the first frame. Frames that are left out are moved over."""
        image, camera = self._last, self._request.camera
        if image is None or self._first is None:
            return None, None
        for between in range(self._frame + 1, frame + 1):
            image = moved(image, camera, between)
        if camera.colours:
            image = coloured_like(image, self._first)
        return min(max(curve_at(camera.strength, frame), 0.0), 1.0), image

    def _kept(self, name: str) -> Image.Image | None:
        data = self._easel.job.inputs.get(name)
        return None if data is None else flatten(read_image(data))
