"""A small preview decoder in the shape of TAESD (https://github.com/madebyollin/taesd), for the demo's latents.

python -m training.preview
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from training import latents
from training.running import Chance, Recipe, asked_for, averaged, carry_out
from training.world import Painter, draw_scene

WIDTH = 16
RECIPE = Recipe("preview", steps=1_500, batch=16, learning_rate=2e-3, weight_decay=0.0)
NOISE = 0.1
"""Standard deviation of what is added to the latents: previews are of unfinished ones."""


class Soft(nn.Module):
    """tanh(x / 3) x 3: keeps latents within bounds."""

    def forward(self, values: Tensor) -> Tensor:
        """The same shape."""
        return torch.tanh(values / 3) * 3


class Block(nn.Module):
    """Three convolutions beside a way around them."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1), nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1), nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1),
        )  # fmt: skip
        self.fuse = nn.ReLU()

    def forward(self, values: Tensor) -> Tensor:
        """The same shape."""
        return self.fuse(self.conv(values) + values)


def make_decoder(width: int = WIDTH) -> nn.Sequential:
    """The layers in the order, and so under the names, that TAESD's files have."""
    layers: list[nn.Module] = [Soft(), nn.Conv2d(4, width, 3, padding=1), nn.ReLU()]
    for _ in range(3):
        layers += [Block(width), Block(width), Block(width), nn.Upsample(scale_factor=2)]
        layers.append(nn.Conv2d(width, width, 3, padding=1, bias=False))
    layers += [Block(width), nn.Conv2d(width, 3, 3, padding=1)]
    return nn.Sequential(*layers)


class Lessons:
    """Drawings to be guessed from their latents, at half the resolution's cost."""

    def __init__(self) -> None:
        self._painter = Painter()

    def __call__(self, model: nn.Module, chance: Chance, count: int, progress: float) -> Tensor:
        """Mean absolute error."""
        pictures = self._painter.draw([draw_scene(chance.python) for _ in range(count)], 128)
        clean = latents.encode(pictures)
        clean += NOISE * torch.randn(clean.shape, generator=chance.torch)
        device = next(model.parameters()).device
        return functional.l1_loss(model(clean.to(device)), pictures.to(device))


def trained() -> nn.Sequential:
    """The run's averaged weights."""
    model = make_decoder()
    model.load_state_dict(averaged(RECIPE.name))
    return model.eval()  # type: ignore[return-value]


if __name__ == "__main__":
    carry_out(asked_for(RECIPE, __doc__), make_decoder, Lessons)
