"""The demo checkpoint's exam: prompts kept out of training and others, judged by training.scoring.

    python -m training.exam [--file models/Stable-diffusion/demo.safetensors] [--count 500] [--steps 20]

Pictures are made by the program's own engine, Euler on its usual schedule, guidance 5, seed = number of the prompt.
"""

import argparse
import random
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from modules.schema.events import Job, Painted
from modules.schema.requests import Txt2Img
from modules.settings import load_settings
from training.scoring import Pixels, Verdict, judge
from training.world import Scene, draw_scene
from webui import build_engine

POINTS = ("background", "colour", "shape", "all_three", "place", "size", "count", "texture", "whole")
GUIDANCE = 5.0

PAPERS: Mapping[str, tuple[str, bool, str]] = {
    "seen": ("single", False, ""),
    "unseen": ("single", True, ""),
    "small": ("single", True, "small"),
    "texture": ("texture", True, ""),
    "count": ("count", True, ""),
    "pair": ("pair", True, ""),
}
"""What is asked: kind of scene, whether its combinations were kept out of training, size."""


def questions(paper: str, count: int) -> Iterator[Scene]:
    """The scenes of a paper, always the same."""
    kind, unseen, size = PAPERS[paper]
    source = random.Random(f"exam {paper}")
    while count:
        scene = draw_scene(source, kind, unseen)
        if not size or scene.size == size:
            count -= 1
            yield scene


class Painter:
    """The program's engine on one checkpoint."""

    def __init__(self, file: Path, steps: int, **options: str) -> None:
        folder = file.resolve().parents[2]
        self._engine = build_engine(load_settings({"data_dir": folder}, {}))
        self._engine.prepare()
        self._request = {
            "checkpoint": file.name,
            "sampling": {"steps": steps, "guidance_scale": GUIDANCE, **options},
        }

    def paint(self, caption: str, seed: int, side: int) -> Pixels:
        """The picture that the program makes of a caption."""
        painted: list[Painted] = []
        request = Txt2Img.model_validate(
            {**self._request, "prompt": caption, "seed": seed, "width": side, "height": side}
        )
        self._engine.run(Job("exam", request), lambda e: painted.append(e) if isinstance(e, Painted) else None)
        return np.asarray(painted[0].picture.image())


def sit(painter: Painter, paper: str, count: int, side: int) -> tuple[Mapping[str, float], list[Pixels]]:
    """The share of right answers on each point, and the pictures."""
    right: Counter[str] = Counter()
    pictures: list[Pixels] = []
    for number, scene in enumerate(questions(paper, count)):
        pictures.append(painter.paint(scene.caption, number, side))
        verdict: Verdict = judge(pictures[-1], scene)
        right.update(point for point in POINTS if getattr(verdict, point))
    return {point: right[point] / count for point in POINTS}, pictures


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--file", type=Path, default=Path("models/Stable-diffusion/demo.safetensors"))
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--papers", nargs="*", default=list(PAPERS), choices=list(PAPERS))
    asked = parser.parse_args()
    painter = Painter(asked.file, asked.steps)
    print(f"{'':10}" + "".join(f"{point:>12}" for point in POINTS))
    for paper in asked.papers:
        shares, _ = sit(painter, paper, asked.count, asked.side)
        print(f"{paper:10}" + "".join(f"{shares[point]:>12.1%}" for point in POINTS), flush=True)
