"""What a finished run leaves beside its weights: a model card, a learning curve, contact sheets."""

import csv
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from training.running import RUNS
from training.scoring import Pixels

MODELS = Path(__file__).parents[1] / "models"
SHEETS = Path(__file__).parents[1] / "docs" / "demo-models"
INK, LINE, PAPER = (30, 30, 36), (232, 106, 23), (255, 255, 255)


@dataclass(frozen=True)
class Score:
    """A figure that was measured, over how many examples, and what it has to be at least."""

    what: str
    reached: float
    wanted: float
    count: int
    unit: str = "%"

    @property
    def holds(self) -> bool:
        """Whether it is what it has to be."""
        return self.reached >= self.wanted

    def row(self) -> str:
        """A row of the card's table."""
        digits = 1 if self.unit == "%" else 2
        verdict = "" if self.holds else " (not reached)"
        return f"| {self.what} | {self.reached:.{digits}f} {self.unit}{verdict} | {self.wanted:g} | {self.count} |"


def write_card(
    file: Path, title: str, runs: Sequence[str], command: str, text: str, scores: Sequence[Score], tags: str
) -> None:
    """The model card, in the hub's form: front matter, then what a person wants to know."""
    told = [_progress(run) for run in runs]
    recipes = [
        f"| {run['name']} | {run['step']:,} | {run['batch']} | {run['learning_rate']:g} | {run['seed']} |"
        f" {run['seconds'] / 60:.0f} min in {run['processes']} processes |"
        for run in told
    ]
    lines = [
        "---", "license: apache-2.0", f"tags: [{tags}]", "---", "", f"# {title}", "", text.strip(), "",
        "## How it was made", "",
        f"By `{command}`, from nothing, on drawings that the command makes itself from a seed; nothing was downloaded."
        f" On {_machine()}. The same command makes it again.", "",
        "| run | steps | batch | learning rate | seed | time |", "| --- | --- | --- | --- | --- | --- |", *recipes, "",
        "AdamW, betas 0.9 and 0.99, gradients clipped at 1; the learning rate is constant and falls over the last"
        " quarter; what ships is the weights' running mean.", "",
        "## What it reaches", "",
        "On examples that were kept out of training, judged by the program's own scorer (`training/scoring.py`).", "",
        "| what | reached | asked for | examples |", "| --- | --- | --- | --- |", *(score.row() for score in scores),
        "", "## Licence", "", "Apache-2.0, like the program: drawings, weights and the code that made them are ours.",
    ]  # fmt: skip
    file.write_text("\n".join(lines) + "\n")


def draw_curve(run: str, file: Path, size: tuple[int, int] = (640, 280)) -> None:
    """A run's loss over its steps, the loss on a logarithmic scale."""
    with (RUNS / run / "curve.csv").open() as rows:
        points = [(int(step), float(loss)) for step, _, loss in csv.reader(rows) if float(loss) > 0]
    steps, losses = np.array([step for step, _ in points]), np.log10([loss for _, loss in points])
    low, high = np.floor(losses.min() * 4) / 4, np.ceil(losses.max() * 4) / 4
    image = Image.new("RGB", size, PAPER)
    pen, font = ImageDraw.Draw(image), ImageFont.load_default(12)
    left, top, right, bottom = 64, 14, size[0] - 14, size[1] - 34

    def place(step: float, loss: float) -> tuple[float, float]:
        across = left + (right - left) * step / steps.max()
        return across, bottom - (bottom - top) * (loss - low) / max(high - low, 1e-9)

    for mark in np.arange(low, high + 0.01, 0.25):
        pen.line((*place(0, mark), *place(steps.max(), mark)), fill=(228, 228, 232))
        pen.text((8, place(0, mark)[1] - 7), f"{10**mark:.4f}", INK, font)
    for share in (0.0, 0.5, 1.0):
        pen.text((place(steps.max() * share, low)[0] - 18, bottom + 10), f"{steps.max() * share:,.0f}", INK, font)
    pen.line([place(step, loss) for step, loss in zip(steps, losses, strict=True)], fill=LINE, width=2)
    file.parent.mkdir(parents=True, exist_ok=True)
    image.save(file, optimize=True)


def contact_sheet(pictures: Sequence[Pixels], captions: Sequence[str], file: Path, columns: int = 6) -> None:
    """Pictures in rows, each with its words below."""
    side, margin, words = 144, 6, 34
    rows = -(-len(pictures) // columns)
    sheet = Image.new("RGB", (columns * (side + margin) + margin, rows * (side + words) + margin), PAPER)
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(10)
    for place, (picture, caption) in enumerate(zip(pictures, captions, strict=True)):
        left, top = margin + place % columns * (side + margin), margin + place // columns * (side + words)
        sheet.paste(Image.fromarray(picture).resize((side, side), Image.Resampling.LANCZOS), (left, top))
        for number, line in enumerate(_lines(caption, 27)[:2]):
            pen.text((left, top + side + 2 + 12 * number), line, INK, font)
    file.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(file, optimize=True)


def say(scores: Sequence[Score]) -> None:
    """The figures, on standard output."""
    for score in scores:
        print(score.row())


def _progress(run: str) -> Mapping[str, float]:
    return json.loads((RUNS / run / "progress.json").read_text())


def _lines(text: str, width: int) -> list[str]:
    lines = [""]
    for word in text.split():
        if len(lines[-1]) + len(word) >= width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines


def _machine() -> str:
    return f"a machine with {os.cpu_count()} processor cores"
