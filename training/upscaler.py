"""Compact upscalers (SRVGG, https://arxiv.org/abs/2107.10833), in the ecosystem's key names.

    python -m training.upscaler 2     models/ESRGAN/demo-x2.safetensors
    python -m training.upscaler 4     models/ESRGAN/demo-x4.safetensors

They learn from drawings that were made small in the ways that programs do it.
"""

import argparse
from functools import partial

from torch import Tensor, nn
from torch.nn import functional

from training.running import Chance, Recipe, averaged, carry_out
from training.world import Painter, draw_scene

WIDTH, LAYERS = 32, 8
PATCH = 48
RECIPES = {
    scale: Recipe(f"upscaler-x{scale}", steps=2_500, batch=16, learning_rate=1e-3, weight_decay=0.0)
    for scale in (2, 4)
}  # fmt: skip


class Compact(nn.Module):
    """Convolutions at the small size, then pixels out of channels; it learns what nearest neighbours lack."""

    def __init__(self, scale: int) -> None:
        super().__init__()
        self.scale = scale
        self.body = nn.ModuleList([nn.Conv2d(3, WIDTH, 3, 1, 1), nn.PReLU(WIDTH)])
        for _ in range(LAYERS):
            self.body.extend([nn.Conv2d(WIDTH, WIDTH, 3, 1, 1), nn.PReLU(WIDTH)])
        self.body.append(nn.Conv2d(WIDTH, 3 * scale**2, 3, 1, 1))

    def forward(self, small: Tensor) -> Tensor:
        """[batch, 3, h, w] -> [batch, 3, h x scale, w x scale], from 0 to 1."""
        inner = small
        for layer in self.body:
            inner = layer(inner)
        return functional.pixel_shuffle(inner, self.scale) + functional.interpolate(small, scale_factor=self.scale)


class Lessons:
    """Parts of drawings, and the same made small."""

    def __init__(self, scale: int) -> None:
        self._scale, self._painter = scale, Painter()

    def __call__(self, model: nn.Module, chance: Chance, count: int, progress: float) -> Tensor:
        """Mean absolute error."""
        whole, side = 256, PATCH * self._scale
        pictures = self._painter.draw([draw_scene(chance.python) for _ in range(count)], whole)
        row, column = (self._scale * chance.python.randint(0, (whole - side) // self._scale) for _ in range(2))
        large = pictures[:, :, row : row + side, column : column + side]
        way = chance.python.choice(("area", "bicubic", "bilinear"))
        options = {} if way == "area" else {"antialias": True}
        small = functional.interpolate(large, size=(PATCH, PATCH), mode=way, **options).clamp(0, 1)
        small = (small * 255).round() / 255
        device = next(model.parameters()).device
        return functional.l1_loss(model(small.to(device)), large.to(device))


def trained(scale: int) -> Compact:
    """The run's averaged weights."""
    model = Compact(scale)
    model.load_state_dict(averaged(RECIPES[scale].name))
    return model.eval()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scale", type=int, choices=list(RECIPES))
    scale = parser.parse_args().scale
    carry_out(RECIPES[scale], partial(Compact, scale), partial(Lessons, scale))
