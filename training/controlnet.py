"""An outline ControlNet (https://arxiv.org/abs/2302.05543) for the demo checkpoint, in the original layout.

    python -m training.controlnet [--steps N]

White outlines on black say where the figures are; the caption says what colours they have.
"""

import re
from collections.abc import Sequence
from pathlib import Path

import torch
from diffusers.models.controlnets.controlnet import ControlNetModel
from torch import Tensor, nn
from torch.nn import functional

from training import diffusion, latents, layout
from training.checkpoint import ATTENTION, CHANNELS, SIDE, SMALL_SIDE, Model, restored
from training.running import Chance, Recipe, asked_for, carry_out
from training.world import Painter, Scene, draw_scene

HINT = (16, 16, 32, 48)
RECIPE = Recipe("controlnet", steps=1_200, batch=32, learning_rate=8e-4)


class Controlled(nn.Module):
    """The finished checkpoint and the ControlNet beside it; only the latter learns."""

    def __init__(self, base: Model) -> None:
        super().__init__()
        self.base = base.requires_grad_(False).eval()
        self.control = ControlNetModel.from_unet(base.unet, conditioning_embedding_out_channels=HINT)
        self.control.requires_grad_(True)

    def forward(self, noisy: Tensor, timesteps: Tensor, captions: Sequence[str], hints: Tensor) -> Tensor:
        """What the UNet says; hints [batch, 3, 8 h, 8 w] from 0 to 1."""
        with torch.no_grad():
            text = self.base.embed(captions)
        down, middle = self.control(noisy, timesteps, text, hints, return_dict=False)
        return self.base.unet(
            noisy,
            timesteps,
            text,
            down_block_additional_residuals=down,
            mid_block_additional_residual=middle,
            return_dict=False,
        )[0]


def outlines(painter: Painter, scenes: Sequence[Scene], side: int) -> Tensor:
    """White lines on black where the figures' edges are: [scenes, 3, side, side]."""
    drawn = torch.zeros(len(scenes), 1, side, side)
    for index, scene in enumerate(scenes):
        cover = painter.cover(scene.figures, side)
        thick = functional.max_pool2d(cover, 3, 1, 1) + functional.max_pool2d(-cover, 3, 1, 1)
        drawn[index] = thick.amax(0)
    return drawn.clamp(0, 1).expand(-1, 3, -1, -1)


class Lessons:
    """Scenes, their outlines, and captions that often say nothing of shape and place."""

    def __init__(self) -> None:
        self._painter = Painter()

    def __call__(self, model: nn.Module, chance: Chance, count: int, progress: float) -> Tensor:
        """Mean squared error of v."""
        side = SIDE if chance.shared.random() < 0.4 else SMALL_SIDE
        count = count if side == SMALL_SIDE else max(1, count // 2)
        scenes = [draw_scene(chance.python) for _ in range(count)]
        device = next(model.parameters()).device
        clean = latents.encode(self._painter.draw(scenes, side)).to(device)
        hints = outlines(self._painter, scenes, side).to(device)
        captions = ["" if chance.python.random() < 0.2 else scene.caption for scene in scenes]
        return diffusion.lesson(clean, chance, lambda noisy, timesteps: model(noisy, timesteps, captions, hints))


def original_names(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """The names of the ControlNet repository's files (https://github.com/lllyasviel/ControlNet)."""
    names = layout.unet_names(len(CHANNELS), 1, ATTENTION)
    shared = {name: value for name, value in weights.items() if not name.startswith("controlnet_")}
    renamed = {f"control_model.{name}": value for name, value in layout.unet_layout(shared, names).items()}
    for name, value in weights.items():
        if match := re.fullmatch(r"controlnet_down_blocks\.(\d+)\.(\w+)", name):
            renamed[f"control_model.zero_convs.{match[1]}.0.{match[2]}"] = value
        elif match := re.fullmatch(r"controlnet_mid_block\.(\w+)", name):
            renamed[f"control_model.middle_block_out.0.{match[1]}"] = value
        elif match := re.fullmatch(r"controlnet_cond_embedding\.(conv_in|conv_out|blocks\.\d+)\.(\w+)", name):
            place = {"conv_in": 0, "conv_out": 2 * (2 * len(HINT) - 1)}.get(match[1])
            place = 2 * (int(match[1].removeprefix("blocks.")) + 1) if place is None else place
            renamed[f"control_model.input_hint_block.{place}.{match[2]}"] = value
    return renamed


def write_controlnet(file: Path, model: Controlled) -> None:
    """Export in half precision."""
    metadata = {
        "modelspec.title": "Kararli demo outline ControlNet",
        "modelspec.license": "Apache-2.0",
        "kararli.controlnet": {"attention_heads": 4, "norm_num_groups": 8},
    }
    layout.write(file, original_names(model.control.state_dict()), metadata)


def make_model() -> Controlled:
    """What is trained, on the finished checkpoint."""
    return Controlled(restored())


if __name__ == "__main__":
    carry_out(asked_for(RECIPE, __doc__), make_model, Lessons)
