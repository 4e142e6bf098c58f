"""Denoisers around denoisers."""

import pytest
import torch
from torch import Tensor

from modules.engine.sampling.wrappers import EditDenoiser


class Told:
    """A denoiser that answers as it is told, and counts what it costs."""

    def __init__(self, towards: float, away: float, scale: float) -> None:
        self._towards, self._away, self._scale = towards, away, scale
        self.passes = 0

    def __call__(self, latents: Tensor, sigma: float, timestep: float | None = None) -> Tensor:
        self.passes += 1 if self._scale == 1 else 2
        return torch.full_like(latents, self._away + self._scale * (self._towards - self._away))

    def apart(
        self, latents: Tensor, sigma: float, guidance: float, timestep: float | None = None
    ) -> tuple[Tensor, Tensor]:
        self.passes += 2
        guided = self._away + self._scale * guidance * (self._towards - self._away)
        return torch.full_like(latents, guided), torch.full_like(latents, self._away)

    def alone(self, index: int) -> "Told":
        return self


@pytest.mark.parametrize(("text_scale", "image_scale"), [(7.0, 1.5), (1.0, 2.0), (3.0, 0.5)])
def test_two_guidance_scales_are_those_of_the_paper_for_three_passes(text_scale: float, image_scale: float) -> None:
    both, picture, nothing = 5.0, 3.0, 2.0
    guided, blind = Told(both, picture, text_scale), Told(nothing, nothing, 1.0)
    seen = EditDenoiser(guided, blind, image_scale)(torch.zeros(1, 4, 2, 2), 1.0)
    expected = nothing + image_scale * (picture - nothing) + text_scale * (both - picture)
    assert seen == pytest.approx(expected)
    assert guided.passes + blind.passes == 3


def test_a_picture_guidance_of_1_costs_nothing() -> None:
    guided, blind = Told(5.0, 3.0, 7.0), Told(2.0, 2.0, 1.0)
    EditDenoiser(guided, blind, 1.0)(torch.zeros(1, 4, 2, 2), 1.0)
    assert (guided.passes, blind.passes) == (2, 0)
