"""The demo checkpoint's UNet and text encoder: words of the little world to its latents.

python -m training.checkpoint [--steps N]
"""

import random
from collections.abc import Sequence
from pathlib import Path

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel

from training import diffusion, latents, layout
from training.clips import draw_frame
from training.publishing import MODELS
from training.running import Chance, Recipe, asked_for, averaged, carry_out
from training.vae import GROUPS as VAE_GROUPS
from training.vae import trained as trained_vae
from training.words import Tokens, vary
from training.world import Painter, Scene, draw_scene

WIDTH = 64
CHANNELS = (32, 64, 128, 96)
ATTENTION = (False, True, True, False)
HEADS, GROUPS = 4, 8
SIDE, SMALL_SIDE = 256, 128
RECIPE = Recipe("checkpoint", steps=10_000, batch=64, learning_rate=1e-3)

SINGLE_UNTIL = 0.42
"""A simple world first: up to this share of the steps, single figures only."""
FRAMES = 0.12
"""Share of pictures out of clips, so that the words for motions mean something to the UNet."""
SMALL_UNTIL = 0.66
"""Up to this share of the steps all pictures are small ones, which cost a quarter; then, a third of the steps."""


def make_unet(in_channels: int = 4) -> UNet2DConditionModel:
    """The UNet without training."""
    return UNet2DConditionModel(
        in_channels=in_channels,
        out_channels=4,
        block_out_channels=CHANNELS,
        layers_per_block=1,
        down_block_types=tuple("CrossAttnDownBlock2D" if has else "DownBlock2D" for has in ATTENTION),
        up_block_types=tuple("CrossAttnUpBlock2D" if has else "UpBlock2D" for has in ATTENTION[::-1]),
        cross_attention_dim=WIDTH,
        attention_head_dim=HEADS,
        norm_num_groups=GROUPS,
    )


def make_text_encoder(vocabulary: int) -> CLIPTextModel:
    """The text encoder without training."""
    config = CLIPTextConfig(
        vocab_size=vocabulary,
        hidden_size=WIDTH,
        intermediate_size=4 * WIDTH,
        num_hidden_layers=3,
        num_attention_heads=4,
        max_position_embeddings=77,
        hidden_act="quick_gelu",
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=1,
    )
    return CLIPTextModel(config)


class Model(nn.Module):
    """Text encoder and UNet, learning together; the text encoder has a compact table of the world's tokens."""

    def __init__(self, in_channels: int = 4) -> None:
        super().__init__()
        self.tokens = Tokens()
        self.text = make_text_encoder(len(self.tokens.ids))
        self.unet = make_unet(in_channels)
        nn.init.zeros_(self.unet.conv_out.weight)
        table = self.text.embeddings.token_embedding.weight
        with torch.no_grad():
            table.mul_(5)
            table[0] = 0
        table.register_hook(lambda gradient: gradient.index_fill(0, torch.zeros(1, dtype=torch.long), 0))

    def embed(self, captions: Sequence[str]) -> Tensor:
        """[captions, 77, width]"""
        rows = self.tokens.encode(captions).to(self.text.device)
        return self.text(input_ids=rows).last_hidden_state

    def forward(self, noisy: Tensor, timesteps: Tensor, captions: Sequence[str]) -> Tensor:
        """What the UNet says."""
        return self.unet(noisy, timesteps, self.embed(captions), return_dict=False)[0]

    @torch.no_grad()
    def paint(
        self, captions: Sequence[str], seeds: Sequence[int], side: int = SIDE, steps: int = 20, guidance: float = 5.0
    ) -> Tensor:
        """Latents for captions, by DDIM with guidance."""
        both = self.embed([*captions, *[""] * len(captions)])
        shape = (4, side // latents.FACTOR, side // latents.FACTOR)
        noise = diffusion.seeded(seeds, shape)
        return diffusion.walk(diffusion.guided(self.unet, both, guidance), noise.to(both.device), steps)


def restored(run: str = RECIPE.name) -> Model:
    """The checkpoint as a run left it: its averaged weights."""
    weights = averaged(run)
    model = Model(in_channels=weights["unet.conv_in.weight"].shape[1])
    model.load_state_dict({**model.state_dict(), **weights})
    return model.eval()


def write_checkpoint(file: Path, model: Model, vae: AutoencoderKL, title: str) -> None:
    """Export in the original single-file layout, in half precision."""
    names = layout.unet_names(len(CHANNELS), 1, ATTENTION)
    text = {name.removeprefix("text_model."): value for name, value in model.text.state_dict().items()}
    table = "embeddings.token_embedding.weight"
    text[table] = layout.whole_table(text[table], model.tokens.ids)
    weights = {
        **dict(layout.prefixed(layout.UNET, layout.unet_layout(model.unet.state_dict(), names))),
        **dict(layout.prefixed(layout.VAE, layout.vae_layout(vae.state_dict(), 4, 1))),
        **dict(layout.prefixed(layout.TEXT, text)),
    }
    metadata = {
        "modelspec.sai_model_spec": "1.0.0",
        "modelspec.architecture": "stable-diffusion-v1",
        "modelspec.title": title,
        "modelspec.author": "Kararli",
        "modelspec.license": "Apache-2.0",
        "modelspec.prediction_type": "v",
        "modelspec.resolution": f"{SIDE}x{SIDE}",
        "kararli.architecture": {
            "family": "sd1",
            "prediction_type": "v_prediction",
            "resolution": SIDE,
            "unet": {"attention_heads": HEADS, "norm_num_groups": GROUPS},
            "vae": {"norm_num_groups": VAE_GROUPS, "scaling_factor": latents.SCALING},
            "text_encoder": {"attention_heads": 4, "hidden_act": "quick_gelu"},
        },
    }
    layout.write(file, weights, metadata)


class Lessons:
    """Scenes, their latents and captions, as a step asks for them."""

    def __init__(self) -> None:
        self._painter = Painter()

    def __call__(self, model: nn.Module, chance: Chance, count: int, progress: float) -> Tensor:
        """The loss over `count` small pictures, or half as many large ones."""
        side = SIDE if progress >= SMALL_UNTIL and chance.shared.random() < 2 / 3 else SMALL_SIDE
        count = count if side == SMALL_SIDE else max(1, count // 2)
        scenes = [self._scene(chance.python, progress) for _ in range(count)]
        device = next(model.parameters()).device
        clean = self.latents(scenes, side).to(device)
        captions = [vary(chance.python, scene.caption) for scene in scenes]
        return diffusion.lesson(clean, chance, lambda noisy, timesteps: model(noisy, timesteps, captions))

    def _scene(self, source: random.Random, progress: float) -> Scene:
        if progress < SINGLE_UNTIL:
            return draw_scene(source, "single")
        return draw_frame(source) if source.random() < FRAMES else draw_scene(source)

    def latents(self, scenes: Sequence[Scene], side: int) -> Tensor:
        """Their latents [scenes, 4, side / 8, side / 8]."""
        return latents.encode(self._painter.draw(scenes, side))


if __name__ == "__main__":
    carry_out(asked_for(RECIPE, __doc__), Model, Lessons)
    write_checkpoint(MODELS / "Stable-diffusion" / "demo.safetensors", restored(), trained_vae(), "Kararli demo")
