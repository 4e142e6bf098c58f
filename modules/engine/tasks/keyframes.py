"""What an animation's keyframes come to on the easel: words, noise and latents, each made when it is first needed."""

from functools import cache

import numpy as np
from PIL import Image
from torch import Tensor

from modules.engine.sampling.arcs import ArcNoise, GivenNoise, OrbitNoise
from modules.engine.sampling.guidance import Conditioning
from modules.engine.sampling.inversion import invert
from modules.engine.sampling.loop import sample
from modules.engine.sampling.noise import OneNoise, SeededNoise, seed_noise
from modules.engine.sampling.plan import Plan
from modules.engine.tasks.easel import Easel, Walk
from modules.engine.text.blending import blended, guided, lengthened, longest
from modules.engine.vision.resizing import resized
from modules.prompts.evaluating import Timeline
from modules.schema.animation import Place
from modules.schema.requests import LARGEST_SEED, Interpolate

RIGHT_ANGLE = 1.5707963
"""Between two noises that have nothing in common."""

FADING = 4
"""How fast a morph leaves what the model could not hold of a picture: a power of the share."""


class Keyframes:
    """The keyframes of a job, and what lies between them."""

    def __init__(self, easel: Easel, request: Interpolate) -> None:
        self._easel, self._request = easel, request
        self.model = easel.model
        self.plan = easel.bench.plan(request.sampling, request.stochastic, self.model.levels)
        self._sight = self.model.sight(request.size, None)
        timeline = Timeline(self.plan.steps * self.plan.sampler.model_calls)
        self._texts = self._read(timeline)
        self.picture = cache(self._picture)
        self.latents = cache(self._latents)
        self._inverted = cache(self._invert)
        self._missing = cache(self._miss)

    def walk(self, places: list[Place], plan: Plan | None = None) -> Walk:
        """A walk of frames at these places."""
        texts = [self._text(place) for place in places]
        return Walk(self.model, lambda _batch: self.model.denoiser(texts, 1.0, self._sight), plan or self.plan)

    def noise(self, places: list[Place], frames: list[int]) -> SeededNoise:
        """The noise that frames begin with, and draw from."""
        return SeededNoise([self._noise(place, frame) for place, frame in zip(places, frames, strict=True)])

    def seeded(self, seed: int) -> OneNoise:
        """The noise of a seed."""
        request, model = self._request, self.model
        variation = request.seeding.variation_seed
        return seed_noise(request, seed % (LARGEST_SEED + 1), variation, model.latent_shape, model.hardware.device)

    def strength(self, place: Place) -> float | None:
        """How much of the pictures may change at a place; a keyframe without one holds nothing back.

        None where there is no picture on either side.
        """
        keys = [self._request.keyframes[number] for number in (place.first, place.second)]
        if not any(key.picture for key in keys):
            return None
        low, high = (self._key_strength(number) for number in (place.first, place.second))
        return low * (1 - place.share) + high * place.share

    def clean(self, place: Place) -> Tensor:
        """The latents [1, channels, h, w] of the pictures at a place, laid over each other, or of the only one."""
        numbers = [n for n in (place.first, place.second) if self._request.keyframes[n].picture]
        low, high = self.latents(numbers[0]), self.latents(numbers[-1])
        return low * (1 - place.share) + high * place.share

    def restored(self, image: Image.Image, place: Place) -> Image.Image:
        """A painted frame with what the model could not hold of its keyframes' pictures.

        All of it at the keyframes, and soon none: it is fine outlines, which would stand still while the picture moves.
        """
        share = min(max(place.share, 0.0), 1.0)
        missing = self._missing(place.first) * (1 - share) ** FADING + self._missing(place.second) * share**FADING
        return Image.fromarray((np.asarray(image, np.float32) + missing).round().clip(0, 255).astype(np.uint8))

    def _picture(self, number: int) -> Image.Image:
        request = self._request
        return resized(self._easel.picture(request.keyframes[number].picture), request.size, "crop")

    def _latents(self, number: int) -> Tensor:
        return self.model.vae.encode([self.picture(number)])

    def _key_strength(self, number: int) -> float:
        keyframe = self._request.keyframes[number]
        if not keyframe.picture:
            return 1.0
        return self._request.strength if keyframe.strength is None else keyframe.strength

    def _noise(self, place: Place, frame: int) -> OneNoise:
        low = self._key_noise(place.first)
        noise = low if place.share == 0 else ArcNoise(low, self._key_noise(place.second), place.share)
        if self._request.mode != "orbit":
            return noise
        radius, seed = self._request.orbit * RIGHT_ANGLE, self._request.seed
        turn = frame / self._request.frame_count
        return OrbitNoise(noise, self.seeded(seed + 1), self.seeded(seed + 2), radius, turn)

    def _key_noise(self, number: int) -> OneNoise:
        if self._request.mode == "morph":
            return GivenNoise(self._inverted(number)[0])
        return self.seeded(self._request.key_seed(number))

    def _text(self, place: Place) -> Conditioning:
        low, high = self._texts[place.first], self._texts[place.second]
        return guided(blended(low, high, place.share, self._request.text_path), self._guidance(place))

    def _guidance(self, place: Place) -> float:
        """The CFG scale at a place. A morph has none at its keyframes, where the way back to the picture is known."""
        low, high = (self._key_guidance(number) for number in (place.first, place.second))
        scale = low * (1 - place.share) + high * place.share
        if self._request.mode != "morph":
            return scale
        between = min(max(4 * place.share * (1 - place.share), 0.0), 1.0)
        return 1 + (scale - 1) * between

    def _key_guidance(self, number: int) -> float:
        own = self._request.keyframes[number].guidance_scale
        return self._request.sampling.guidance_scale if own is None else own

    def _read(self, timeline: Timeline) -> list[Conditioning]:
        """Each keyframe's words, all of one length."""
        easel, request = self._easel, self._request
        embeddings = easel.bench.models.embeddings()

        def embed(words: tuple[str, str]) -> Conditioning:
            return self.model.embed(words, request.reading, timeline, embeddings)

        known: dict[tuple[str, str], Conditioning] = {}
        for number in range(len(request.keyframes)):
            words = request.key_words(number)
            known[words] = known.get(words) or embed(words)
        lengths = tuple(max(pair) for pair in zip(*(longest(text) for text in known.values()), strict=True))
        empty = embed(("", "")).negative.at(0)
        same = {words: lengthened(text, (lengths[0], lengths[1]), empty) for words, text in known.items()}
        used = {name for text in known.values() for name in text.inversions}
        easel.use(easel.bench.models.embedding_records(used))
        return [same[request.key_words(number)] for number in range(len(request.keyframes))]

    def _invert(self, number: int) -> Tensor:
        """The unit noise that leads to the keyframe's picture."""
        frame = self._easel.job.finished

        def tell(_step: int, _steps: int) -> None:
            self._easel.progress.stage("Looking for the noise of a picture", frame)

        model = self.model.denoiser([guided(self._texts[number], 1.0)], 1.0, self._sight)
        with self._easel.progress.timed("sampling"):
            noise = invert(model, self.latents(number), self.plan, tell)
            self.model.rest()
        return noise

    def _miss(self, number: int) -> np.ndarray:
        """What the walk down from the keyframe's noise leaves out of its picture, in shades."""
        place = Place(number, number, 0.0)
        with self._easel.progress.timed("sampling"):
            model = self.walk([place]).denoiser(range(1))
            latents = sample(model, self.noise([place], [0]), self.plan, lambda *_: None)
            self.model.rest()
        [painted] = self._easel.decode(latents)
        return np.asarray(self.picture(number), np.float32) - np.asarray(painted.image(), np.float32)
