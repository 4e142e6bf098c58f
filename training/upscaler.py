"""Compact upscalers (SRVGG, https://arxiv.org/abs/2107.10833), in the ecosystem's key names.

    python -m training.upscaler 2     models/ESRGAN/demo-x2.safetensors
    python -m training.upscaler 4     models/ESRGAN/demo-x4.safetensors

They learn from drawings that were made small in the ways that programs do it.
"""

import argparse
import math
import random
from functools import partial

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

from training import layout
from training.publishing import MODELS, SHEETS, Score, draw_curve, say, write_card
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


@torch.no_grad()
def measure(model: Compact, count: int = 500) -> tuple[float, float]:
    """Mean PSNR in dB on drawings of scenes kept out of training: of the model, and of Lanczos."""
    source, painter = random.Random("upscaler exam"), Painter()
    ours: list[float] = []
    lanczos: list[float] = []
    for _ in range(count):
        [large] = painter.draw([draw_scene(source, unseen=True)], 192)
        image = Image.fromarray((large * 255).round().byte().permute(1, 2, 0).numpy())
        small = image.resize((192 // model.scale, 192 // model.scale), Image.Resampling.BICUBIC)
        shades = torch.from_numpy(np.array(small, np.float32) / 255).permute(2, 0, 1)
        ours.append(_psnr((model(shades[None])[0].clamp(0, 1) * 255).round().permute(1, 2, 0).numpy(), image))
        lanczos.append(_psnr(np.asarray(small.resize(image.size, Image.Resampling.LANCZOS), np.float32), image))
    return float(np.mean(ours)), float(np.mean(lanczos))


def publish(scale: int) -> None:
    """Export, measure, write the card."""
    model, name = trained(scale), f"demo-x{scale}"
    folder = MODELS / "ESRGAN"
    description = {"modelspec.title": f"Kararli {name}", "modelspec.license": "Apache-2.0"}
    layout.write(folder / f"{name}.safetensors", model.state_dict(), description)
    ours, lanczos = measure(model)
    scores = [Score("PSNR above Lanczos on drawings", ours - lanczos, 3, 500, "dB")]
    say(scores)
    run = RECIPES[scale].name
    draw_curve(run, SHEETS / f"{run}.png")
    text = (
        f"Enlarges drawings {scale} times; a compact network (SRVGG) of {LAYERS} layers and {WIDTH} channels. PSNR on"
        f" 500 drawings that bicubic filtering made small: {ours:.2f} dB, of Lanczos {lanczos:.2f} dB."
    )
    command = f"python -m training.upscaler {scale}"
    write_card(folder / f"{name}.md", f"Kararli {name}", [run], command, text, scores, "upscaler")


def _psnr(painted: np.ndarray, image: Image.Image) -> float:
    error = np.square(painted - np.asarray(image, np.float32)).mean() / 255**2
    return -10 * math.log10(max(float(error), 1e-10))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scale", type=int, choices=list(RECIPES))
    scale = parser.parse_args().scale
    carry_out(RECIPES[scale], partial(Compact, scale), partial(Lessons, scale))
    publish(scale)
