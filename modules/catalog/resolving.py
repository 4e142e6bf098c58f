"""Makes a request complete: what it leaves open is decided here, once, when it is submitted."""

import random
from collections.abc import Sequence

from modules.catalog.checkpoints import Catalog
from modules.catalog.settling import ReadInput, settle_size
from modules.schema.errors import InvalidRequest
from modules.schema.requests import LARGEST_SEED, RANDOM_SEED, Hires, Painting, Refiner, Request, Sampling, Txt2Img
from modules.schema.sampling import AUTOMATIC, Choice, Sampler, Schedule, choose
from modules.schema.upscaling import Upscaler, choose_upscaler


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
        checkpoint = self._catalog.find(request.checkpoint)
        width, height = settle_size(request, checkpoint.usable(), self._read)
        seed = request.seed
        if seed == RANDOM_SEED:
            seed = random.SystemRandom().randrange(LARGEST_SEED - request.picture_count)
        return request.model_copy(
            update={
                "checkpoint": checkpoint.name,
                "seed": seed,
                "width": width,
                "height": height,
                "sampling": self._named(request.sampling),
                "refiner": self._refiner(request),
                **({"hires": self._hires(request.hires)} if isinstance(request, Txt2Img) else {}),
            }
        )

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
                "upscaler": self._upscaler(hires.upscaler),
            }
        )

    def _upscaler(self, name: str) -> str:
        try:
            return choose_upscaler(self._upscalers, name).name
        except KeyError:
            names = ", ".join(upscaler.name for upscaler in self._upscalers)
            raise InvalidRequest(f"There is no upscaler {name!r}. Choose one of: {names}.", "hires.upscaler") from None

    def _named(self, sampling: Sampling, part: str = "sampling") -> Sampling:
        sampler = _known(self._samplers, sampling.sampler, f"{part}.sampler").name
        schedule = AUTOMATIC
        if sampling.schedule.casefold() != AUTOMATIC.casefold():
            schedule = _known(self._schedules, sampling.schedule, f"{part}.schedule").label
        return sampling.model_copy(update={"sampler": sampler, "schedule": schedule})


def _known(choices: Sequence[Choice], name: str, field: str) -> Choice:
    try:
        return choose(choices, name)
    except KeyError:
        names = [choice.label if isinstance(choice, Schedule) else choice.name for choice in choices]
        kind = field.rpartition(".")[2]
        raise InvalidRequest(f"There is no {kind} {name!r}. Choose one of: {', '.join(names)}.", field) from None
