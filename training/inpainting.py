"""The demo inpainting checkpoint: nine input channels (latents, mask, what is outside the mask), trained to fill masks.

    python -m training.inpainting [--steps N]

It goes on from the demo checkpoint; the five new channels start at zero.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from training import diffusion, latents
from training.checkpoint import SIDE, SMALL_SIDE, Model, restored
from training.running import Chance, Recipe, asked_for, carry_out
from training.words import vary
from training.world import Figure, Painter, Scene, draw_scene

RECIPE = Recipe("inpainting", steps=1_500, batch=48, learning_rate=6e-4)
LARGE = 0.4
"""Share of the steps that use large pictures."""
EVERYTHING = 0.1
"""Share of pictures whose mask covers all of them."""


def widened(base: Model) -> Model:
    """The checkpoint with nine input channels."""
    model = Model(in_channels=9)
    weights = base.state_dict()
    narrow = weights["unet.conv_in.weight"]
    weights["unet.conv_in.weight"] = torch.cat([narrow, torch.zeros(narrow.shape[0], 5, 3, 3)], dim=1)
    model.load_state_dict(weights)
    return model


class Lessons:
    """Scenes with a hole in them; the caption says what belongs there."""

    def __init__(self) -> None:
        self._painter = Painter()

    def __call__(self, model: nn.Module, chance: Chance, count: int, progress: float) -> Tensor:
        """Mean squared error of v."""
        side = SIDE if chance.shared.random() < LARGE else SMALL_SIDE
        count = count if side == SMALL_SIDE else max(1, count // 2)
        scenes = [draw_scene(chance.python) for _ in range(count)]
        pictures = self._painter.draw(scenes, side)
        masks = torch.cat([self.mask(chance, scene, side) for scene in scenes])
        device = next(model.parameters()).device
        clean = latents.encode(pictures).to(device)
        outside = shown(pictures, masks).to(device)
        captions = [vary(chance.python, scene.caption) for scene in scenes]
        return diffusion.lesson(
            clean, chance, lambda noisy, timesteps: model(torch.cat([noisy, outside], dim=1), timesteps, captions)
        )

    def mask(self, chance: Chance, scene: Scene, side: int) -> Tensor:
        """[1, 1, side, side], 1 where the picture is to be made: around a figure, anywhere, or everywhere."""
        source = chance.python
        if source.random() < EVERYTHING:
            return torch.ones(1, 1, side, side)
        if source.random() < 0.6:
            figure = source.choice(scene.figures)
            x, y, radius = figure.x, figure.y, figure.radius * source.uniform(1.1, 1.8)
        else:
            x, y, radius = source.random(), source.random(), source.uniform(0.1, 0.4)
        shape = source.choice(("square", "circle"))
        return (self._painter.cover([Figure(shape, "white", x, y, radius)], side) > 0.5).float()


def shown(pictures: Tensor, masks: Tensor) -> Tensor:
    """What a nine-channel UNet sees beside the noisy latents: mask, and latents with grey in the hole."""
    small = functional.interpolate(masks, scale_factor=1 / latents.FACTOR, mode="nearest")
    grey = torch.where(masks > 0.5, torch.full_like(pictures, 0.5), pictures)
    return torch.cat([small, latents.encode(grey)], dim=1)


@torch.no_grad()
def paint(model: Model, pictures: Tensor, masks: Tensor, captions: Sequence[str], seeds: Sequence[int]) -> Tensor:
    """Latents of pictures whose holes were filled, by 20 steps of DDIM with guidance 5."""
    beside = shown(pictures, masks)
    both = model.embed([*captions, *[""] * len(captions)])
    noise = diffusion.seeded(seeds, beside[0, 1:].shape)
    return diffusion.walk(diffusion.guided(model.unet, both, 5.0, lambda now: torch.cat([now, beside], dim=1)), noise)


def make_model() -> Model:
    """What is trained, on the finished checkpoint."""
    return widened(restored())


if __name__ == "__main__":
    carry_out(asked_for(RECIPE, __doc__), make_model, Lessons)
