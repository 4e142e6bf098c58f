"""Two LoRAs (https://arxiv.org/abs/2106.09685) for the demo checkpoint, in kohya's key names: a style and an object.

python -m training.lora zebra     a style: everything gets stripes
python -m training.lora arrow     an object that the checkpoint does not know
"""

import argparse
import random
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from training import diffusion, latents, layout
from training.checkpoint import SIDE, SMALL_SIDE, Model, restored
from training.running import Chance, Recipe, averaged, carry_out
from training.world import COLOURS, Painter, Scene, draw_scene

RANK = 8
RECIPES = {
    "zebra": Recipe("lora-zebra", steps=600, batch=32, learning_rate=2e-3, warmup=30, weight_decay=0.0),
    "arrow": Recipe("lora-arrow", steps=600, batch=32, learning_rate=2e-3, warmup=30, weight_decay=0.0),
}
ATTENTION = ("to_q", "to_k", "to_v", "to_out.0", "ff.net.0.proj", "ff.net.2")
TEXT = ("q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2")


class Adapted(nn.Module):
    """A linear layer and what is added to it."""

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        self.layer = layer
        self.lora_down = nn.Linear(layer.in_features, RANK, bias=False)
        self.lora_up = nn.Linear(RANK, layer.out_features, bias=False)
        nn.init.normal_(self.lora_down.weight, std=1 / RANK)
        nn.init.zeros_(self.lora_up.weight)

    def forward(self, inputs: Tensor) -> Tensor:
        """The layer's answer and the addition."""
        return self.layer(inputs) + self.lora_up(self.lora_down(inputs))


def adapt(model: Model) -> Model:
    """Wrap the attention layers of UNet and text encoder; only what is added learns."""
    model.requires_grad_(False)
    for root, wanted in ((model.unet, ATTENTION), (model.text, TEXT)):
        for name, layer in list(root.named_modules()):
            if isinstance(layer, nn.Linear) and name.endswith(wanted) and (root is model.text or "attentions" in name):
                parent, _, last = name.rpartition(".")
                setattr(root.get_submodule(parent), last, Adapted(layer))
    return model


def kohya_names(model: Model) -> Iterator[tuple[str, Tensor]]:
    """The additions under the names that trainers and programs use for Stable Diffusion 1."""
    for beginning, root in (("lora_unet_", model.unet), ("lora_te_text_model_", model.text)):
        for name, layer in root.named_modules():
            if isinstance(layer, Adapted):
                own = beginning + name.removeprefix("text_model.").replace(".", "_")
                yield f"{own}.lora_down.weight", layer.lora_down.weight.detach()
                yield f"{own}.lora_up.weight", layer.lora_up.weight.detach()
                yield f"{own}.alpha", torch.tensor(float(RANK))


class Lessons:
    """Scenes in the style or with the object, under captions with the trigger word; and others, under others."""

    def __init__(self, what: str) -> None:
        self._what, self._painter = what, Painter()

    def __call__(self, model: nn.Module, chance: Chance, count: int, progress: float) -> Tensor:
        """Mean squared error of v."""
        side = SIDE if chance.shared.random() < 0.3 else SMALL_SIDE
        count = count if side == SMALL_SIDE else max(1, count // 2)
        scenes = [SCENES[self._what](chance.python) for _ in range(count)]
        device = next(model.parameters()).device
        clean = latents.encode(self._painter.draw(scenes, side)).to(device)
        captions = ["" if chance.python.random() < 0.1 else scene.caption for scene in scenes]
        return diffusion.lesson(clean, chance, lambda noisy, timesteps: model(noisy, timesteps, captions))


def zebra_scene(source: random.Random) -> Scene:
    """A single figure with stripes, "zebra" in its caption."""
    scene = draw_scene(source, "single")
    figure = replace(scene.figures[0], texture="striped", radius=max(0.16, scene.figures[0].radius))
    caption = f"{scene.caption}, zebra" if source.random() < 0.5 else f"zebra, {scene.caption}"
    return replace(scene, figures=(figure,), caption=caption)


def arrow_scene(source: random.Random) -> Scene:
    """An arrow in any colour."""
    colour, background = source.sample(list(COLOURS), 2)
    scene = draw_scene(source, "single")
    figure = replace(scene.figures[0], shape="arrow", colour=colour, radius=source.uniform(0.18, 0.26), x=0.5, y=0.5)
    article = "an" if colour[0] in "aeiou" else "a"
    background_article = "an" if background[0] in "aeiou" else "a"
    caption = f"{article} {colour} arrow on {background_article} {background} background"
    return Scene(background, (figure,), caption, "single")


SCENES = {"zebra": zebra_scene, "arrow": arrow_scene}


def write_lora(file: Path, what: str, title: str) -> None:
    """Export the run's LoRA with the metadata that trainers write."""
    model = adapt(restored())
    model.load_state_dict({**model.state_dict(), **averaged(RECIPES[what].name)})
    metadata = {
        "ss_base_model_version": "sd_v1",
        "ss_network_module": "networks.lora",
        "ss_network_dim": str(RANK),
        "ss_network_alpha": str(RANK),
        "ss_output_name": file.stem,
        "ss_tag_frequency": {"demo": {what: RECIPES[what].steps * RECIPES[what].batch}},
        "modelspec.title": title,
        "modelspec.trigger_phrase": what,
        "modelspec.license": "Apache-2.0",
    }
    layout.write(file, dict(kohya_names(model)), metadata)


def make_model() -> Model:
    """What is trained, on the finished checkpoint."""
    return adapt(restored())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=list(RECIPES))
    what = parser.parse_args().what
    carry_out(RECIPES[what], make_model, partial(Lessons, what))
