"""How often a TimeSformer's likeliest label is right, on unseen clips of the embedded models' little world.

    python -m benchmarks.labels [--model demo] [--clips 200]

Each clip is drawn anew and written as MP4, WebM or GIF, at 8 to 60 frames a second, 1 to 10 seconds long.
"""

import argparse
import random
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
from PIL import Image

from modules.engine.libraries import settle_libraries

settle_libraries()

import torch

from modules.catalog.describers import Describers
from modules.engine.devices import choose_hardware
from modules.engine.vision.timesformer import TimeSformer
from modules.schema.film import Film, evenly
from modules.settings import REPOSITORY, Settings
from tests.films import times_of, write_film
from training.clips import Clip, draw_clip, film
from training.world import Painter

ENDINGS = (".mp4", ".webm", ".gif")
RATES = (8, 12, 15, 24, 25, 30, 50, 60)
SIDES = (64, 96, 128, 192)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="")
    parser.add_argument("--models", type=Path, default=REPOSITORY / "models" / "TimeSformer")
    parser.add_argument("--clips", type=int, default=200)
    parser.add_argument("--seed", type=int, default=2026)
    given = parser.parse_args()
    model = TimeSformer(Describers(given.models).find(given.model, "labels"), choose_hardware(Settings()))
    chance, painter = random.Random(given.seed), Painter()
    right: Counter[str] = Counter()
    asked: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        for number in range(given.clips):
            clip, ending = draw_clip(chance), ENDINGS[number % len(ENDINGS)]
            path = written(Path(folder) / f"clip{ending}", clip, painter, chance)
            said = label_of(model, path)
            for group in ("all", ending, clip.motion):
                asked[group] += 1
                right[group] += said == clip.label
            if said != clip.label:
                print(f"{ending}  {clip.label!r} was taken for {said!r}")
    for group, count in asked.items():
        print(f"{group:16} {right[group]:4} of {count:4} right, {right[group] / count:.1%}")


def written(path: Path, clip: Clip, painter: Painter, chance: random.Random) -> Path:
    """The clip as a file of a random length, rate and size."""
    rate, seconds, side = chance.choice(RATES), chance.uniform(1, 10), chance.choice(SIDES)

    def draw(moment: float) -> Image.Image:
        pixels = film(painter, [clip], [[moment]], side)[0, 0]
        return Image.fromarray((pixels.permute(1, 2, 0).numpy() * 255).round().astype(np.uint8))

    return write_film(path, draw, times_of(seconds, rate))


@torch.inference_mode()
def label_of(model: TimeSformer, path: Path) -> str:
    """The likeliest label."""
    with Film(path) as opened:
        images = opened.frames(evenly(0, opened.facts.length, model.entry.frames))
        seen = torch.stack([model.prepare(image) for image in images])
    return model.labels(seen, 1)[0].text


if __name__ == "__main__":
    main()
