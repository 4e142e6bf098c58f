"""Noise that depends on a picture's seed alone: not on its place in a batch, and not on the machine."""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias

import torch
from torch import Tensor

from modules.engine.sampling.brownian import BrownianTree
from modules.engine.sampling.philox import Philox
from modules.schema.requests import Painting, Seeding

Shape: TypeAlias = tuple[int, ...]

Source: TypeAlias = Callable[[Shape], Tensor]
"""Gives unit noise of a shape, other numbers each time."""

NEARLY_PARALLEL = 0.9995
"""Above this cosine there is no arc to go along."""


class OneNoise(Protocol):
    """The noise of one picture."""

    def draw(self) -> Tensor:
        """Fresh noise of the picture's shape; the first draw is what its walk begins with."""
        ...

    def brownian(self, sigma: float, sigma_next: float, span: tuple[float, float]) -> Tensor:
        """The change of the picture's Brownian motion on the way from sigma down to sigma_next, as unit noise."""
        ...


class PictureNoise:
    """One picture's noise: first the initial one, then what samplers ask for, from the same generator.

    `first` is initial noise that is not simply the seed's: a variation, or that of another size, which is put into the
    middle.
    """

    def __init__(
        self, seed: int, shape: Shape, device: torch.device, seeding: Seeding | None = None, first: Tensor | None = None
    ) -> None:
        seeding = seeding or Seeding()
        self._seed, self._shape, self._device, self._seeding = seed, shape, device, seeding
        self._source = open_source(seeding.noise_source, seed, device)
        self._first = first
        self._drawn = False
        self._tree: BrownianTree | None = None

    def draw(self) -> Tensor:
        """Fresh noise in float32 on the device."""
        drawn = self._source(self._shape)
        if not self._drawn:
            self._drawn = True
            if self._seeding.eta_seed_delta:
                seed = self._seed + self._seeding.eta_seed_delta
                self._source = open_source(self._seeding.noise_source, seed, self._device)
            if self._first is not None:
                drawn = paste_into_middle(self._first, drawn) if self._seeding.resizes else self._first
        return drawn.to(self._device)

    def brownian(self, sigma: float, sigma_next: float, span: tuple[float, float]) -> Tensor:
        """The change of this picture's Brownian motion on the way from sigma down to sigma_next, as unit noise."""
        if self._tree is None:
            self._tree = BrownianTree(*span, seed=self._seed, draw=self._drawn_of)
        return (-self._tree.change(sigma_next, sigma) / (sigma - sigma_next) ** 0.5).to(self._device)

    def _drawn_of(self, seed: int) -> Tensor:
        return open_source(self._seeding.noise_source, seed, self._device)(self._shape)


class SeededNoise:
    """Unit noise for a batch, each picture's from its own generator.

    The first draw is the picture's initial noise; later draws go on with the same generators.
    """

    def __init__(self, pictures: Sequence[OneNoise]) -> None:
        self._pictures = pictures

    def draw(self) -> Tensor:
        """Fresh noise [batch, *shape] in float32 on the device."""
        return torch.stack([picture.draw() for picture in self._pictures])

    def brownian(self, sigma: float, sigma_next: float, span: tuple[float, float]) -> Tensor:
        """The change of a Brownian motion on the way from sigma down to sigma_next, as unit noise [batch, *shape].

        `span` holds the walk's lowest and highest noise level; each picture's motion is made for it at the first call.
        """
        return torch.stack([picture.brownian(sigma, sigma_next, span) for picture in self._pictures])

    def apart(self) -> list["SeededNoise"]:
        """The noise of each picture by itself."""
        return [SeededNoise([picture]) for picture in self._pictures]


def noise_of(
    request: Painting, indices: Sequence[int], latent_shape: Callable[[tuple[int, int]], Shape], device: torch.device
) -> SeededNoise:
    """The noise of a request's pictures, with its variation and with the size that its seed is meant for."""
    return SeededNoise(
        [
            seed_noise(request, request.seed_of(index), request.variation_seed_of(index), latent_shape, device)
            for index in indices
        ]
    )


def seed_noise(
    request: Painting,
    seed: int,
    variation_seed: int,
    latent_shape: Callable[[tuple[int, int]], Shape],
    device: torch.device,
) -> PictureNoise:
    """The noise that a seed has in a request."""
    seeding = request.seeding
    size = (seeding.resize_from_width, seeding.resize_from_height) if seeding.resizes else request.size
    shape, first = latent_shape(size), None
    if seeding.resizes or seeding.variation_strength:
        first = open_source(seeding.noise_source, seed, device)(shape)
    if first is not None and seeding.variation_strength:
        other = open_source(seeding.noise_source, variation_seed, device)(shape)
        first = slerp(first, other, seeding.variation_strength)
    return PictureNoise(seed, latent_shape(request.size), device, seeding, first)


def open_source(kind: str, seed: int, device: torch.device) -> Source:
    """A generator for a seed: on the "CPU", on the device ("GPU"), or "NV", CUDA's numbers computed on the CPU.

    Apple's devices have no generator worth the name; there "GPU" means the CPU's.
    """
    if kind == "NV":
        philox = Philox(seed)
        return lambda shape: torch.from_numpy(philox.randn(shape))
    where = device if kind == "GPU" and device.type == "cuda" else torch.device("cpu")
    generator = torch.Generator(where).manual_seed(seed)
    return lambda shape: torch.randn(shape, generator=generator, device=where)


def slerp(low: Tensor, high: Tensor, share: float) -> Tensor:
    """Spherical interpolation between two noises [channels, rows, columns] (https://doi.org/10.1145/325165.325242).

    The angle is taken down each column of each channel, as the ecosystem's programs take it; pictures depend on it.
    """
    cosine = (low / low.norm(dim=1, keepdim=True) * high / high.norm(dim=1, keepdim=True)).sum(1, keepdim=True)
    if cosine.mean() > NEARLY_PARALLEL:
        return low * (1 - share) + high * share
    angle = torch.acos(cosine.clamp(-1, 1))
    arc = (torch.sin((1 - share) * angle) * low + torch.sin(share * angle) * high) / torch.sin(angle)
    return torch.where(torch.isfinite(arc), arc, low * (1 - share) + high * share)


def paste_into_middle(small: Tensor, large: Tensor) -> Tensor:
    """`large` [channels, rows, columns] with `small` over its middle; what does not fit is cut off evenly."""
    result = large.clone()
    inside, outside = [slice(None)], [slice(None)]
    for have, want in zip(small.shape[1:], large.shape[1:], strict=True):
        margin = abs(want - have) // 2 if want >= have else (have - want + 1) // 2
        length = have if want >= have else have - 2 * margin
        inside.append(slice(margin, margin + length) if want < have else slice(None))
        outside.append(slice(margin, margin + length) if want >= have else slice(0, length))
    result[tuple(outside)] = small[tuple(inside)]
    return result
