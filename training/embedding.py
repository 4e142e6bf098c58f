"""A textual inversion (https://arxiv.org/abs/2208.01618) for the demo checkpoint: a colour that no word says.

    python -m training.embedding

demo-teal stands where a colour does: "a demo-teal star on a white background".
"""

from pathlib import Path

import torch
from torch import Tensor, nn

from training import diffusion, latents, layout
from training.checkpoint import SMALL_SIDE, Model, restored
from training.running import Chance, Recipe, asked_for, averaged, carry_out
from training.world import COLOURS, Painter, draw_scene

NAME = "demo-teal"
TEAL = (0, 128, 128)
VECTORS = 2
RECIPE = Recipe("embedding", steps=500, batch=32, learning_rate=2e-2, warmup=20, weight_decay=0.0)


class Inverted(nn.Module):
    """The checkpoint as it is, and the vectors of a new word."""

    def __init__(self, base: Model) -> None:
        super().__init__()
        self.base = base.requires_grad_(False).eval()
        table = base.text.embeddings.token_embedding.weight
        rows = base.tokens.encode(["cyan green"])[0, 1:3]
        self.vectors = nn.Parameter(table[rows].detach().clone()[:VECTORS])

    def embed(self, captions: list[str]) -> Tensor:
        """[captions, 77, width]; "@" in a caption stands for the new word."""
        tokens = self.base.tokens
        rows = tokens.encode([caption.replace("@", "? ?") for caption in captions])
        table = self.base.text.embeddings.token_embedding
        inputs = table(rows)
        for index, caption in enumerate(captions):
            if "@" in caption:
                first = int((rows[index] == 0).nonzero()[0])
                place = torch.arange(first, first + VECTORS)
                inputs = inputs.index_put((torch.full((VECTORS,), index), place), self.vectors)
        return self._encode(rows, inputs)

    def _encode(self, rows: Tensor, inputs: Tensor) -> Tensor:
        text = self.base.text
        table = text.embeddings.token_embedding
        handle = table.register_forward_hook(lambda *_: inputs)
        try:
            return text(input_ids=rows).last_hidden_state
        finally:
            handle.remove()

    def forward(self, noisy: Tensor, timesteps: Tensor, captions: list[str]) -> Tensor:
        """What the UNet says."""
        return self.base.unet(noisy, timesteps, self.embed(captions), return_dict=False)[0]


class Lessons:
    """Teal figures and teal backgrounds."""

    def __init__(self) -> None:
        self._painter = Painter()

    def __call__(self, model: nn.Module, chance: Chance, count: int, progress: float) -> Tensor:
        """Mean squared error of v."""
        scenes = [draw_scene(chance.python, "single") for _ in range(count)]
        pictures = self._painter.draw(scenes, SMALL_SIDE)
        captions: list[str] = []
        teal = torch.tensor(TEAL) / 255
        for index, scene in enumerate(scenes):
            on_figure = chance.python.random() < 0.7
            name = scene.figures[0].colour if on_figure else scene.background
            was = torch.tensor(COLOURS[name]) / 255
            cover = self._painter.cover(scene.figures[:1], SMALL_SIDE)[0]
            share = cover if on_figure else 1 - cover
            pictures[index] += share * (teal - was)[:, None, None]
            captions.append(
                scene.caption.replace(name, "@", 1) if on_figure else "@".join(scene.caption.rsplit(name, 1))
            )
        clean = latents.encode(pictures.clamp(0, 1))
        return diffusion.lesson(clean, chance, lambda noisy, timesteps: model(noisy, timesteps, captions))


def write_embedding(file: Path) -> None:
    """Export as one tensor, as programs write textual inversions for one text encoder."""
    layout.write(file, {"emb_params": averaged(RECIPE.name)["vectors"]}, {"modelspec.license": "Apache-2.0"})


def make_model() -> Inverted:
    """What is trained, on the finished checkpoint."""
    return Inverted(restored())


if __name__ == "__main__":
    carry_out(asked_for(RECIPE, __doc__), make_model, Lessons)
