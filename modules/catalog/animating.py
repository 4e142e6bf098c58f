"""Looks at an animation when it is submitted: decides its seeds and words, and refuses what cannot be painted."""

import random
from functools import cache
from typing import Any

from modules.catalog.architecture import Architecture
from modules.catalog.checkpoints import Catalog
from modules.catalog.settling import ReadInput
from modules.prompts.parsing import networks
from modules.prompts.wildcards import fill, has_wildcards
from modules.schema.animation import Keyframe
from modules.schema.errors import InvalidRequest
from modules.schema.media import read_image
from modules.schema.requests import LARGEST_SEED, RANDOM_SEED, Interpolate, Stochastic

EXACT_SAMPLER = "Euler"
"""The sampler whose walk can be gone backwards, as a morph has to."""


def settle_animation(
    request: Interpolate, catalog: Catalog, architecture: Architecture, read: ReadInput
) -> Interpolate:
    """The request with its keyframes' seeds and words decided.

    Raises InvalidRequest with a sentence when there is nothing to animate or something that cannot be.
    """
    _check_keyframes(request)
    _check_model(request, architecture)
    for digest in request.inputs():
        read_image(read(digest))
    seed = _drawn() if request.seed == RANDOM_SEED else request.seed
    settled = _with_words(request.model_copy(update={"seed": seed}), catalog)
    changes: dict[str, Any] = {}
    if request.mode == "morph":
        sampling = request.sampling.model_copy(update={"sampler": EXACT_SAMPLER})
        changes |= {"sampling": sampling, "stochastic": Stochastic()}
    if request.mode == "camera":
        changes |= {"batch_size": 1}
    return settled.model_copy(update=changes)


def _check_keyframes(request: Interpolate) -> None:
    if not request.keyframes:
        raise InvalidRequest("There are no keyframes. Add one at least, and say what is to be seen there.", "keyframes")
    if request.frame_count < 2:
        raise InvalidRequest(
            "The animation would have one frame only. Add a keyframe at a later time, or give seconds for Closing.",
            "keyframes",
        )
    without = [keyframe for keyframe in request.keyframes if not keyframe.picture]
    if request.mode == "morph" and without:
        raise InvalidRequest(
            f"A morph leads from picture to picture, and the keyframe at {without[0].time:g} s has none. Give it one,"
            " or choose another mode.",
            "keyframes",
        )


def _check_model(request: Interpolate, architecture: Architecture) -> None:
    if architecture.edits:
        raise InvalidRequest(
            "This is an InstructPix2Pix checkpoint, which cannot animate. Choose another checkpoint.", "checkpoint"
        )
    if request.refiner.checkpoint:
        raise InvalidRequest("An animation takes no refiner. Leave it out.", "refiner.checkpoint")


def _with_words(request: Interpolate, catalog: Catalog) -> Interpolate:
    """With seeds in place of "choose one", and with words in place of wildcards: each keyframe's by its own seed."""
    lines = cache(catalog.wildcards.lines)

    def drawn(text: str, seed: str) -> str:
        return fill(text, seed, lines) if has_wildcards(text) else text

    def settle(keyframe: Keyframe) -> Keyframe:
        own = _drawn() if keyframe.seed == RANDOM_SEED else keyframe.seed
        seed = request.seed if own is None else own
        prompt, negative = drawn(keyframe.prompt, str(seed)), drawn(keyframe.negative_prompt, f"{seed} negative")
        for network in networks(prompt):
            raise InvalidRequest(
                f"{network} asks for a network, and these cannot be used yet. Take it out of the prompt.", "keyframes"
            )
        return keyframe.model_copy(update={"seed": own, "prompt": prompt, "negative_prompt": negative})

    prompt, negative = (
        drawn(request.prompt, str(request.seed)),
        drawn(request.negative_prompt, f"{request.seed} negative"),
    )
    keyframes = tuple(settle(keyframe) for keyframe in request.keyframes)
    return request.model_copy(update={"keyframes": keyframes, "prompt": prompt, "negative_prompt": negative})


def _drawn() -> int:
    return random.SystemRandom().randrange(LARGEST_SEED)
