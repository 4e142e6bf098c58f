"""How often the demo checkpoint paints what was asked for.

    .venv/bin/python -m benchmarks.demo [--count 128] [--sampler Euler] [--guidance-scale 7]

Prompts "a {colour} {shape} on a {colour} background", drawn at random with a fixed seed; what is in the pictures is
judged by tests/looking.py, which compares outlines with drawings of the shapes.
"""

import argparse
import random
from collections import Counter
from pathlib import Path

from rich.console import Console
from rich.table import Table

import webui
from modules.catalog.checkpoints import DEFAULT
from modules.schema.events import Job, Painted
from modules.schema.requests import Sampling, Txt2Img
from modules.settings import REPOSITORY, load_settings
from tests.looking import COLOURS, SHAPES, look


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=128)
    parser.add_argument("--sampler", default="Euler")
    parser.add_argument("--guidance-scale", type=float, default=7.0)
    parser.add_argument("--save", type=Path, help="a folder for the pictures that are not right")
    arguments = parser.parse_args()
    engine = webui.build_engine(load_settings({"data_dir": REPOSITORY}, {}))
    sampling = Sampling(steps=20, sampler=arguments.sampler, guidance_scale=arguments.guidance_scale)
    chance, right = random.Random(1), Counter[str]()
    for index in range(arguments.count):
        (colour, background), shape = chance.sample(list(COLOURS), 2), SHAPES[index % len(SHAPES)]
        request = Txt2Img(
            prompt=f"a {colour} {shape} on a {background} background", checkpoint=DEFAULT, width=128, height=128,
            seed=index, sampling=sampling,
        )  # fmt: skip
        painted: list[Painted] = []
        engine.run(
            Job("demo", request), lambda event, to=painted: to.append(event) if hasattr(event, "index") else None
        )
        image = painted[0].picture.image()
        try:
            seen = look(image)
        except ValueError:
            seen = None
        found = {
            "colour": seen is not None and seen.colour == colour,
            "shape": seen is not None and seen.shape == shape,
            "background": seen is not None and seen.background == background,
        }
        right.update(name for name, yes in found.items() if yes)
        right["all three"] += all(found.values())
        if arguments.save and not all(found.values()):
            arguments.save.mkdir(parents=True, exist_ok=True)
            image.save(arguments.save / f"{request.prompt.replace(' ', '-')}-{index}.png")
    table = Table("", "right", title=f"{arguments.count} prompts, {arguments.sampler}, 20 steps")
    for name in ("colour", "shape", "background", "all three"):
        table.add_row(name, f"{right[name] / arguments.count:.1%}")
    Console().print(table)


if __name__ == "__main__":
    main()
