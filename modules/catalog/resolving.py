"""Makes a request complete: what it leaves open is decided here, once, when it is submitted."""

import random
from collections.abc import Sequence

from modules.catalog.checkpoints import Catalog
from modules.schema.errors import InvalidRequest
from modules.schema.requests import LARGEST_SEED, RANDOM_SEED, Request, Sampling
from modules.schema.sampling import AUTOMATIC, Choice, Sampler, Schedule, choose


class Resolver:
    """Knows what can be chosen: checkpoints, samplers and schedules."""

    def __init__(self, catalog: Catalog, samplers: Sequence[Sampler], schedules: Sequence[Schedule]) -> None:
        self._catalog, self._samplers, self._schedules = catalog, samplers, schedules

    def __call__(self, request: Request) -> Request:
        """The request with its seed, checkpoint, size, and names as they are registered.

        Raises InvalidRequest for a sampler or schedule that is not there, UnusableFile for a checkpoint that cannot
        be used.
        """
        checkpoint = self._catalog.find(request.checkpoint)
        resolution = checkpoint.usable().resolution
        seed = request.seed
        if seed == RANDOM_SEED:
            seed = random.SystemRandom().randrange(LARGEST_SEED - request.picture_count)
        return request.model_copy(
            update={
                "checkpoint": checkpoint.name,
                "seed": seed,
                "width": request.width or resolution,
                "height": request.height or resolution,
                "sampling": self._named(request.sampling),
            }
        )

    def _named(self, sampling: Sampling) -> Sampling:
        sampler = _known(self._samplers, sampling.sampler, "sampler").name
        schedule = AUTOMATIC
        if sampling.schedule.casefold() != AUTOMATIC.casefold():
            schedule = _known(self._schedules, sampling.schedule, "schedule").label
        return sampling.model_copy(update={"sampler": sampler, "schedule": schedule})


def _known(choices: Sequence[Choice], name: str, kind: str) -> Choice:
    try:
        return choose(choices, name)
    except KeyError:
        names = [choice.label if isinstance(choice, Schedule) else choice.name for choice in choices]
        raise InvalidRequest(
            f"There is no {kind} {name!r}. Choose one of: {', '.join(names)}.", f"sampling.{kind}"
        ) from None
