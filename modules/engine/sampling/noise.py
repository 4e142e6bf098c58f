"""Noise that depends on a picture's seed alone: not on its place in a batch, and not on the machine."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor


class SeededNoise:
    """Unit noise for a batch, each picture's from its own generator on the CPU (the same numbers on every device).

    The first draw is the picture's initial noise; later draws go on with the same generators.
    """

    def __init__(self, seeds: Sequence[int], shape: tuple[int, ...], device: torch.device) -> None:
        self._seeds, self._shape, self._device = seeds, shape, device
        self._generators = [torch.Generator("cpu").manual_seed(seed) for seed in seeds]
        self._trees: list[Any] = []

    def draw(self) -> Tensor:
        """Fresh noise [batch, *shape] in float32 on the device."""
        drawn = [torch.randn(self._shape, generator=generator) for generator in self._generators]
        return torch.stack(drawn).to(self._device)

    def brownian(self, sigma: float, sigma_next: float, span: tuple[float, float]) -> Tensor:
        """The change of a Brownian motion on the way from sigma down to sigma_next, as unit noise [batch, *shape].

        `span` holds the walk's lowest and highest noise level; each picture's motion is made for it at the first call.
        """
        if not self._trees:
            from torchsde import BrownianTree  # needs scipy: only the samplers that use it pay for it

            zeros = torch.zeros(self._shape)
            self._trees = [BrownianTree(span[0], zeros, span[1], entropy=seed) for seed in self._seeds]
        # torchsde rounds the ends of its motion to 6 digits, and warns of times that lie beyond them
        steps = [-tree(round(sigma_next, 6), round(sigma, 6)) / (sigma - sigma_next) ** 0.5 for tree in self._trees]
        return torch.stack(steps).to(self._device)
