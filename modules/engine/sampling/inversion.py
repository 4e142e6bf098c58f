"""From a picture to the noise that becomes it: a walk without chance, gone backwards (https://arxiv.org/abs/2010.02502).

The usual way takes the model's answer at the wrong end of each step. Here the step that Euler's method will take is
solved for its beginning by a few rounds (https://arxiv.org/abs/2309.04907), so the walk down ends where this began.
"""

from collections.abc import Callable

from torch import Tensor

from modules.engine.sampling.loop import Denoiser
from modules.engine.sampling.plan import Plan

ROUNDS = 3
"""How often each step is solved; the model is asked as often."""

InversionReport = Callable[[int, int], None]
"""(steps gone back, steps in all). May raise to leave the walk."""


def invert(model: Denoiser, clean: Tensor, plan: Plan, report: InversionReport) -> Tensor:
    """The unit noise [batch, channels, h, w] with which the plan's walk by Euler's method leads to clean latents."""
    latents = clean
    levels = list(plan.sigmas)
    for taken, (level, below) in enumerate(zip(levels[-2::-1], levels[:0:-1], strict=True), start=1):
        start = latents
        for _ in range(ROUNDS):
            direction = (start - model(start, level)) / level
            start = latents + direction * (level - below)
        latents = start
        report(taken, len(levels) - 1)
    return latents / levels[0]
