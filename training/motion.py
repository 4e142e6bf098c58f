"""The demo checkpoint's motion module (AnimateDiff, https://arxiv.org/abs/2307.04725), in its original layout.

    python -m training.motion [--steps N]

The checkpoint's UNet stays as it is; temporal transformers between its layers learn how frames belong together.
"""

import re
from collections.abc import Sequence
from pathlib import Path

import torch
from diffusers.models.unets.unet_motion_model import MotionAdapter, UNetMotionModel
from torch import Tensor, nn

from training import diffusion, latents, layout
from training.checkpoint import CHANNELS, Model, restored
from training.clips import draw_clip, evenly, film
from training.running import Chance, Recipe, asked_for, carry_out
from training.world import Painter

FRAMES = 16
SIDE = 128
HEADS, GROUPS = 4, 8
LONGEST = 32
"""Frames that the module has positions for."""
RECIPE = Recipe("motion", steps=2_500, batch=4, learning_rate=8e-4, warmup=100)


def make_adapter() -> MotionAdapter:
    """The module without training; its last projections are silent, so that it begins by changing nothing."""
    adapter = MotionAdapter(
        block_out_channels=CHANNELS,
        motion_layers_per_block=1,
        motion_mid_block_layers_per_block=1,
        motion_num_attention_heads=HEADS,
        motion_norm_num_groups=GROUPS,
        motion_max_seq_length=LONGEST,
        use_motion_mid_block=True,
    )
    for name, module in adapter.named_modules():
        if name.endswith("proj_out"):
            nn.init.zeros_(module.weight)  # type: ignore[arg-type]
            nn.init.zeros_(module.bias)  # type: ignore[arg-type]
    return adapter


class MotionModel(nn.Module):
    """The finished checkpoint with the module between its layers; only the module learns."""

    def __init__(self, base: Model) -> None:
        super().__init__()
        self.base = base.requires_grad_(False).eval()
        self.unet = UNetMotionModel.from_unet2d(base.unet, make_adapter(), load_weights=True)
        self.unet.requires_grad_(False)
        for name, value in self.unet.named_parameters():
            if "motion_modules" in name:
                value.requires_grad_(True)

    def forward(self, noisy: Tensor, timesteps: Tensor, captions: Sequence[str]) -> Tensor:
        """What the UNet says of clips [batch, 4, frames, h, w]."""
        with torch.no_grad():
            text = self.base.embed(captions).repeat_interleave(noisy.shape[2], dim=0)
        return self.unet(noisy, timesteps, text, return_dict=False)[0]

    def weights(self) -> dict[str, Tensor]:
        """The module's own."""
        return {name: value for name, value in self.unet.state_dict().items() if "motion_modules" in name}

    @torch.no_grad()
    def paint(
        self, captions: Sequence[str], seeds: Sequence[int], side: int = SIDE, steps: int = 20, guidance: float = 5.0
    ) -> Tensor:
        """Latents of clips [clips, 4, frames, h, w], by DDIM with guidance."""
        both = self.base.embed([*captions, *[""] * len(captions)]).repeat_interleave(FRAMES, dim=0)
        shape = (4, FRAMES, side // latents.FACTOR, side // latents.FACTOR)
        noise = diffusion.seeded(seeds, shape)
        return diffusion.walk(diffusion.guided(self.unet, both, guidance), noise.to(both.device), steps)


class Lessons:
    """Clips of the world."""

    def __init__(self) -> None:
        self._painter = Painter()

    def __call__(self, model: nn.Module, chance: Chance, count: int, progress: float) -> Tensor:
        """Mean squared error of v over all frames."""
        clips = [draw_clip(chance.python) for _ in range(count)]
        frames = film(self._painter, clips, [evenly(FRAMES)] * count, SIDE)
        device = next(model.parameters()).device
        clean = latents.encode(frames.flatten(0, 1)).unflatten(0, (count, FRAMES)).transpose(1, 2).to(device)
        captions = ["" if chance.python.random() < 0.1 else clip.caption for clip in clips]
        return diffusion.lesson(clean, chance, lambda noisy, timesteps: model(noisy, timesteps, captions))


_PARTS = {
    ".norm1.": ".norms.0.", ".norm2.": ".norms.1.", ".norm3.": ".ff_norm.",
    ".attn1.": ".attention_blocks.0.", ".attn2.": ".attention_blocks.1.",
}  # fmt: skip


def original_names(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """The names of the AnimateDiff repository's files (https://github.com/guoyww/AnimateDiff)."""
    renamed: dict[str, Tensor] = {}
    for name, value in weights.items():
        before, number, rest = re.fullmatch(r"(.+\.motion_modules)\.(\d+)\.(.+)", name).groups()  # type: ignore[union-attr]
        for ours, theirs in _PARTS.items():
            rest = rest.replace(ours, theirs)
        place = f"{before}.{number}.temporal_transformer."
        if rest.endswith("pos_embed.pe"):  # there, each attention holds the positions
            for attention in range(2):
                own = rest.replace("pos_embed", f"attention_blocks.{attention}.pos_encoder")
                renamed[place + own] = value.clone()
        else:
            renamed[place + rest] = value
    return renamed


def write_motion(file: Path, model: MotionModel) -> None:
    """Export; positions are computed, but the original files hold them, and their length is read from there."""
    weights = original_names(model.weights())
    metadata = {
        "modelspec.title": "Kararli demo motion module",
        "modelspec.license": "Apache-2.0",
        "kararli.motion": {"attention_heads": HEADS, "norm_num_groups": GROUPS, "frames": FRAMES},
    }
    layout.write(file, weights, metadata)


def make_model() -> MotionModel:
    """What is trained, on the finished checkpoint."""
    return MotionModel(restored())


if __name__ == "__main__":
    carry_out(asked_for(RECIPE, __doc__), make_model, Lessons)
