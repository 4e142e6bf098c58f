"""Makes a request complete: what it leaves open is decided here, once, when it is submitted."""

import random
from collections.abc import Sequence
from functools import cache
from typing import Any, TypeVar

from modules.catalog.animating import settle_animation
from modules.catalog.checkpoints import Catalog, Checkpoint
from modules.catalog.describing import settle_caption, settle_divergence, settle_interrogate
from modules.catalog.enlarging import settle_upscale
from modules.catalog.settling import ReadInput, settle_series, settle_size
from modules.catalog.upscalers import all_upscalers
from modules.prompts.parsing import networks
from modules.prompts.wildcards import fill, has_wildcards
from modules.schema.captioning import Caption, Interrogate
from modules.schema.divergence import Divergence
from modules.schema.errors import InvalidRequest
from modules.schema.requests import (
    LARGEST_SEED,
    RANDOM_SEED,
    Filled,
    Hires,
    Img2Img,
    Interpolate,
    Painting,
    Reading,
    Refiner,
    Request,
    Sampling,
    SdUpscale,
    Seeding,
    Stochastic,
    Txt2Img,
    Upscale,
)
from modules.schema.sampling import AUTOMATIC, Choice, Sampler, Schedule, choose, split_joined
from modules.schema.upscaling import Upscaler, choose_upscaler

AnyPainting = TypeVar("AnyPainting", bound=Painting)


def _no_inputs(digest: str) -> bytes:
    raise InvalidRequest(f"The input picture {digest} is not known here.", "picture")


class Resolver:
    """Knows what can be chosen: checkpoints, samplers, schedules, upscalers. `read` gives it the input pictures."""

    def __init__(
        self,
        catalog: Catalog,
        samplers: Sequence[Sampler],
        schedules: Sequence[Schedule],
        upscalers: Sequence[Upscaler] = (),
        read: ReadInput = _no_inputs,
    ) -> None:
        self._catalog, self._samplers, self._schedules = catalog, samplers, schedules
        self._upscalers, self._read = upscalers, read

    def __call__(self, request: Request) -> Request:
        """The request with its seed, checkpoint, size, and names as they are registered.

        Raises InvalidRequest for a name that is not there and for input pictures that do not fit, UnusableFile for a
        checkpoint that cannot be used.
        """
        if isinstance(request, Upscale):
            return settle_upscale(request, self._catalog, self._upscaler, self._read)
        if isinstance(request, Caption):
            return settle_caption(request, self._catalog)
        if isinstance(request, Interrogate):
            return settle_interrogate(request, self._catalog, self._read)
        if isinstance(request, Divergence):
            return settle_divergence(request, self._catalog)
        checkpoint = self._catalog.find(request.checkpoint)
        if isinstance(request, Interpolate):
            request = settle_animation(request, self._catalog, checkpoint.usable(), self._read)
        width, height = settle_size(request, checkpoint.usable(), self._read)
        if isinstance(request, Img2Img):
            series = settle_series(request, checkpoint.usable(), self._read)
            request = request.model_copy(update={"series": series})
        _check_layers(request.reading, checkpoint)
        sampling = self._named(request.sampling)
        seeds = {
            "seed": _chosen(request.seed, request.picture_count),
            "seeding": _varied(request.seeding, request.picture_count),
        }
        filled = self._hires_filled(self._filled(request.model_copy(update=seeds)))
        _refuse_networks(filled)
        return filled.model_copy(
            update={
                "checkpoint": checkpoint.name,
                "width": width,
                "height": height,
                "sampling": sampling,
                "stochastic": _effective(request.stochastic, choose(self._samplers, sampling.sampler)),
                "refiner": self._refiner(request),
                **self._enlarged(filled),
            }
        )

    def _enlarged(self, request: Painting) -> dict[str, Any]:
        """What names upscalers, with their own names."""
        if isinstance(request, Txt2Img):
            return {"hires": self._hires(request.hires)}
        if isinstance(request, Img2Img):
            return {"upscaler": self._upscaler(request.upscaler, "upscaler")}
        if isinstance(request, SdUpscale):
            name = self._upscaler(request.redrawing.upscaler, "redrawing.upscaler")
            return {"redrawing": request.redrawing.model_copy(update={"upscaler": name})}
        return {}

    def _refiner(self, request: Painting) -> Refiner:
        """What is not used is not kept."""
        if not request.refiner.checkpoint:
            return Refiner()
        checkpoint = self._catalog.find(request.refiner.checkpoint)
        checkpoint.usable()
        return request.refiner.model_copy(update={"checkpoint": checkpoint.name})

    def _hires(self, hires: Hires) -> Hires:
        """What is not used is not kept; what is the same as in the first pass stays empty."""
        if not hires.enabled:
            return Hires()
        sampling = self._named(
            Sampling(sampler=hires.sampler or self._samplers[0].name, schedule=hires.schedule or AUTOMATIC), "hires"
        )
        checkpoint = hires.checkpoint
        if checkpoint:
            entry = self._catalog.find(checkpoint)
            entry.usable()
            checkpoint = entry.name
        return hires.model_copy(
            update={
                "sampler": sampling.sampler if hires.sampler else "",
                "schedule": sampling.schedule if hires.schedule else "",
                "checkpoint": checkpoint,
                "upscaler": self._upscaler(hires.upscaler, "hires.upscaler"),
            }
        )

    def _upscaler(self, name: str, field: str) -> str:
        """The name as it is registered, or of a file in models/ESRGAN/. Stretched latents are for hires fix alone."""
        choices = [one for one in self._upscalers if one.latent is None or field == "hires.upscaler"]
        try:
            return choose_upscaler(choices, name).name
        except KeyError:
            pass
        if (file := self._catalog.upscalers.find(name)) is not None:
            file.usable()
            return file.name
        names = ", ".join(upscaler.name for upscaler in all_upscalers(choices, self._catalog.upscalers))
        raise InvalidRequest(f"There is no upscaler {name!r}. Choose one of: {names}.", field)

    def _filled(self, request: AnyPainting) -> AnyPainting:
        """With the words that its wildcards come to: each picture's are drawn by its own seed."""
        if request.filled.prompts or not (has_wildcards(request.prompt) or has_wildcards(request.negative_prompt)):
            return request
        lines = cache(self._catalog.wildcards.lines)
        seeds = [request.seed_of(index) for index in range(request.picture_count)]
        filled = Filled(
            template=request.prompt,
            negative_template=request.negative_prompt,
            prompts=tuple(fill(request.prompt, str(seed), lines) for seed in seeds),
            negative_prompts=tuple(fill(request.negative_prompt, f"{seed} negative", lines) for seed in seeds),
        )
        first, negative = filled.prompts[0], filled.negative_prompts[0]
        return request.model_copy(update={"prompt": first, "negative_prompt": negative, "filled": filled})

    def _hires_filled(self, request: AnyPainting) -> AnyPainting:
        """The same for the words of a second pass."""
        if not isinstance(request, Txt2Img) or request.filled.hires_prompts:
            return request
        hires, lines = request.hires, cache(self._catalog.wildcards.lines)
        if not (has_wildcards(hires.prompt) or has_wildcards(hires.negative_prompt)):
            return request
        seeds = [request.seed_of(index) for index in range(request.picture_count)]
        prompts = tuple(fill(hires.prompt, f"{seed} hires", lines) for seed in seeds)
        negative_prompts = tuple(fill(hires.negative_prompt, f"{seed} hires negative", lines) for seed in seeds)
        drawn = {"hires_prompts": prompts, "hires_negative_prompts": negative_prompts}
        first = hires.model_copy(update={"prompt": prompts[0], "negative_prompt": negative_prompts[0]})
        return request.model_copy(update={"hires": first, "filled": request.filled.model_copy(update=drawn)})

    def _named(self, sampling: Sampling, part: str = "sampling") -> Sampling:
        name, joined = split_joined(sampling.sampler, self._samplers, self._schedules)
        sampler = _known(self._samplers, name, f"{part}.sampler").name
        schedule = joined or AUTOMATIC
        if sampling.schedule.casefold() != AUTOMATIC.casefold():
            schedule = _known(self._schedules, sampling.schedule, f"{part}.schedule").label
        return sampling.model_copy(update={"sampler": sampler, "schedule": schedule})


def _refuse_networks(request: Painting) -> None:
    second = (request.hires.prompt, *request.filled.hires_prompts) if isinstance(request, Txt2Img) else ()
    for prompt in dict.fromkeys((request.prompt, *request.filled.prompts, *second)):
        for network in networks(prompt):
            raise InvalidRequest(
                f"{network} asks for a network, and these cannot be used yet. Take it out of the prompt.", "prompt"
            )


def _check_layers(reading: Reading, checkpoint: Checkpoint) -> None:
    layers = checkpoint.usable().text_encoder.layers
    if reading.clip_skip > layers:
        raise InvalidRequest(
            f"Clip skip {reading.clip_skip} is more than the {layers} layers that the text encoder of"
            f" {checkpoint.name} has. Choose 1 to {layers}.",
            "reading.clip_skip",
        )


def _chosen(seed: int, pictures: int) -> int:
    return random.SystemRandom().randrange(LARGEST_SEED - pictures) if seed == RANDOM_SEED else seed


def _varied(seeding: Seeding, pictures: int) -> Seeding:
    """With the variation seed that is used, and without what has no effect: the record says what acts."""
    used: dict[str, int] = {"variation_seed": RANDOM_SEED}
    if seeding.variation_strength:
        used["variation_seed"] = _chosen(seeding.variation_seed, pictures)
    if not seeding.resizes:
        used |= {"resize_from_width": 0, "resize_from_height": 0}
    return seeding.model_copy(update=used)


def _effective(stochastic: Stochastic, sampler: Sampler) -> Stochastic:
    """Without what the sampler has no dial for, or what it does anyway."""
    given = {name: value for name, value in stochastic if name in sampler.dials}
    if given.get("eta") == sampler.eta:
        del given["eta"]
    return Stochastic(**given)


def _known(choices: Sequence[Choice], name: str, field: str) -> Choice:
    try:
        return choose(choices, name)
    except KeyError:
        names = [choice.label if isinstance(choice, Schedule) else choice.name for choice in choices]
        kind = field.rpartition(".")[2]
        raise InvalidRequest(f"There is no {kind} {name!r}. Choose one of: {', '.join(names)}.", field) from None
