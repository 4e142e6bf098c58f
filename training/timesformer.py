"""A TimeSformer (https://arxiv.org/abs/2102.05095) that says what moves how, in the layout of the Hugging Face hub.

    python -m training.timesformer [--steps N]

Its 700 classes ("red circle moving right") are learned as three short lists, colours, shapes and motions: a class's row
of the last layer is the sum of its three parts' rows, so that what is learned of one is learned of all.
"""

import json
import random

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import TimesformerConfig, TimesformerForVideoClassification

from training import layout
from training.clips import MOTIONS, Clip, draw_clip, film, label_of, labels
from training.publishing import MODELS, SHEETS, Score, draw_curve, say, write_card
from training.running import Chance, Recipe, asked_for, averaged, carry_out
from training.world import COLOURS, SHAPES, Painter

FRAMES, SIDE, PATCH = 8, 64, 8
MEAN, SPREAD = 0.45, 0.225
"""What pixels from 0 to 1 are normalised with, as the published TimeSformers do."""
PREPROCESSOR = {
    "do_center_crop": True,
    "do_normalize": True,
    "do_rescale": True,
    "do_resize": True,
    "rescale_factor": 1 / 255,
    "resample": 2,
    "size": {"shortest_edge": SIDE},
    "crop_size": {"height": SIDE, "width": SIDE},
    "image_mean": [MEAN] * 3,
    "image_std": [SPREAD] * 3,
    "image_processor_type": "VideoMAEImageProcessor",
}
"""As the published TimeSformers have it."""
RECIPE = Recipe("timesformer", steps=3_000, batch=32, learning_rate=1e-3, warmup=200, weight_decay=0.05)


def configuration() -> TimesformerConfig:
    """The model's sizes and labels."""
    names = [label_of(*parts) for parts in labels()]
    return TimesformerConfig(
        image_size=SIDE,
        patch_size=PATCH,
        num_frames=FRAMES,
        hidden_size=96,
        num_hidden_layers=4,
        num_attention_heads=4,
        intermediate_size=256,
        attention_type="divided_space_time",
        drop_path_rate=0,
        id2label=dict(enumerate(names)),
        label2id={name: index for index, name in enumerate(names)},
    )


class Model(nn.Module):
    """The network without its last layer, and that layer in three parts."""

    def __init__(self) -> None:
        super().__init__()
        self.whole = TimesformerForVideoClassification(configuration())
        self.whole.classifier.requires_grad_(False)
        width = self.whole.config.hidden_size
        self.parts = nn.ModuleList(nn.Linear(width, len(names)) for names in (COLOURS, SHAPES, MOTIONS))

    def forward(self, frames: Tensor) -> list[Tensor]:
        """Logits of colours, shapes and motions for normalised frames [clips, frames, 3, side, side]."""
        seen = self.whole.timesformer(frames).last_hidden_state[:, 0]
        return [part(seen) for part in self.parts]

    @torch.no_grad()
    def fold(self) -> TimesformerForVideoClassification:
        """The whole network: each class's row is the sum of its parts' rows."""
        names = [list(COLOURS), list(SHAPES), list(MOTIONS)]
        for row, said in enumerate(labels()):
            places = [known.index(name) for known, name in zip(names, said, strict=True)]
            layers = list(zip(self.parts, places, strict=True))
            self.whole.classifier.weight[row] = sum(part.weight[place] for part, place in layers)  # type: ignore[index]
            self.whole.classifier.bias[row] = sum(part.bias[place] for part, place in layers)  # type: ignore[index]
        return self.whole


def normalised(frames: Tensor) -> Tensor:
    """Pixels from 0 to 1 as the network wants them."""
    return (frames - MEAN) / SPREAD


class Lessons:
    """Clips as cameras, codecs and players leave them."""

    def __init__(self) -> None:
        self._painter = Painter()

    def __call__(self, model: nn.Module, chance: Chance, count: int, progress: float) -> Tensor:
        """Cross-entropy of the three answers."""
        clips = [draw_clip(chance.python) for _ in range(count)]
        device = next(model.parameters()).device
        answers = model(normalised(self.frames(clips, chance)).to(device))
        names = (list(COLOURS), list(SHAPES), list(MOTIONS))
        asked = [(clip.first.colour, clip.first.shape, clip.motion) for clip in clips]
        losses = [
            functional.cross_entropy(
                answer,
                torch.tensor([known.index(parts[index]) for parts in asked], device=device),
                label_smoothing=0.02,
            )
            for index, (answer, known) in enumerate(zip(answers, names, strict=True))
        ]
        return torch.stack(losses).sum()

    def frames(self, clips: list[Clip], chance: Chance) -> Tensor:
        """Frames at moments that are not quite even, a little blurred, noisy and shifted in brightness."""
        moments = [_moments(chance.python) for _ in clips]
        side = chance.python.choice((48, 64, 64, 96, 128))
        pictures = film(self._painter, clips, moments, side).flatten(0, 1)
        pictures = functional.interpolate(pictures, size=(SIDE, SIDE), mode="bilinear", antialias=True)
        if chance.python.random() < 0.5:  # as codecs keep colours: at half the size
            grey = pictures.mean(1, keepdim=True)
            coarse = functional.interpolate(functional.avg_pool2d(pictures - grey, 2), scale_factor=2, mode="bilinear")
            pictures = grey + coarse
        noise = torch.randn(pictures.shape, generator=chance.torch) * chance.python.uniform(0, 0.03)
        scale, shift = chance.python.uniform(0.93, 1.05), chance.python.uniform(-0.03, 0.03)
        return (pictures * scale + shift + noise).clamp(0, 1).unflatten(0, (len(clips), FRAMES))


def _moments(source: random.Random) -> list[float]:
    begin, end = source.uniform(0, 0.1), source.uniform(0.9, 1)
    return [begin + (end - begin) * index / (FRAMES - 1) for index in range(FRAMES)]


def trained() -> Model:
    """The run's averaged weights."""
    model = Model()
    model.load_state_dict({**model.state_dict(), **averaged(RECIPE.name)})
    return model.eval()


@torch.no_grad()
def measure(whole: TimesformerForVideoClassification, count: int = 500) -> float:
    """Which share of fresh clips gets its label; the clips as they are, without a codec."""
    source, painter = random.Random("timesformer exam"), Painter()
    right = 0
    for _ in range(count):
        clip = draw_clip(source)
        moments = [index / (FRAMES - 1) for index in range(FRAMES)]
        logits = whole(normalised(film(painter, [clip], [moments], SIDE))).logits
        right += whole.config.id2label[int(logits.argmax())] == label_of(*said_of(clip))
    return right / count


def said_of(clip: Clip) -> tuple[str, str, str]:
    """Colour, shape and motion."""
    return clip.first.colour, clip.first.shape, clip.motion


def publish() -> None:
    """Export as the hub stores such models, measure, write the card."""
    folder, whole = MODELS / "TimeSformer" / "demo", trained().fold()
    folder.mkdir(parents=True, exist_ok=True)
    config = {**whole.config.to_dict(), "dtype": "float16"}
    (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n")
    (folder / "preprocessor_config.json").write_text(json.dumps(PREPROCESSOR, indent=1) + "\n")
    layout.write(folder / "model.safetensors", whole.state_dict(), {})
    scores = [Score("top-1 on fresh clips", 100 * measure(whole), 97, 500)]
    say(scores)
    draw_curve(RECIPE.name, SHEETS / "timesformer.png")
    text = (
        f'Says what moves how in a clip: {len(labels())} labels such as "red circle moving right". {FRAMES} frames of'
        f" {SIDE} x {SIDE} pixels, divided attention over space and time. It knows {len(SHAPES)} shapes in"
        f" {len(COLOURS)} colours and {len(MOTIONS)} motions ({', '.join(MOTIONS)}), and nothing else."
    )
    write_card(
        folder / "README.md", "Kararli demo TimeSformer", [RECIPE.name], "python -m training.timesformer", text,
        scores, "video-classification, timesformer",
    )  # fmt: skip


if __name__ == "__main__":
    carry_out(asked_for(RECIPE, __doc__), Model, Lessons)
    publish()
