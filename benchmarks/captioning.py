"""What a TimeSformer of full size takes: seconds and memory, with random weights of the published shapes.

python -m benchmarks.captioning [--shape k400|hr|l] [--device cpu] [--precision full]
"""

import argparse
import resource
import sys
import tempfile
import time
from pathlib import Path

import torch

from modules.engine.libraries import settle_libraries

settle_libraries()

from modules.catalog.describers import Describers
from modules.engine.devices import choose_hardware
from modules.engine.tasks.caption import _seen
from modules.engine.vision.timesformer import TimeSformer
from modules.schema.film import Film
from modules.settings import Settings
from tests.engine import describing_models as made
from tests.films import ball, times_of, write_film

SHAPES = {"k400": (8, 224), "hr": (16, 448), "l": (96, 224)}
"""Frames and pixels of a side."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", choices=SHAPES, default="k400")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precision", default="auto")
    given = parser.parse_args()
    frames, side = SHAPES[given.shape]
    hardware = choose_hardware(Settings(device=given.device, precision=given.precision))
    with tempfile.TemporaryDirectory() as folder:
        names = {place: f"action {place}" for place in range(400)}
        sizes = {"patch_size": 16, "hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12}
        config = made.timesformer_config(
            side, frames, **sizes, intermediate_size=3072, id2label=names, label2id={n: p for p, n in names.items()}
        )
        parameters = sum(one.numel() for one in made.save_timesformer(Path(folder) / "full", config).parameters())
        film = write_film(Path(folder) / "film.mp4", lambda moment: ball(moment, 480), times_of(10, 25))
        rows = [("parameters", f"{parameters / 1e6:.1f} million"), ("runs on", f"{hardware.device} {hardware.dtype}")]
        before = time.monotonic()
        model = TimeSformer(Describers(Path(folder)).find("full", "labels"), hardware)
        rows.append(("loading", f"{time.monotonic() - before:.2f} s"))
        before = time.monotonic()
        with Film(film) as opened:
            spans = [(0.0, opened.facts.length)]
            [(_, seen)] = _seen(opened, spans, frames, model.prepare, lambda: None)
        rows.append((f"reading {frames} frames of 480 x 480", f"{time.monotonic() - before:.2f} s"))
        for what, work in (
            ("labels", lambda: model.labels(seen, 5)),
            ("where it looked", lambda: model.attention(seen)),
        ):
            before = time.monotonic()
            work()
            rows.append((what, f"{time.monotonic() - before:.2f} s"))
    rows.append(("most memory of the process", _memory(hardware.device)))
    for name, value in rows:
        print(f"{name:36} {value}")


def _memory(device: torch.device) -> str:
    unit = 1 if sys.platform == "darwin" else 1024
    own = f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30:.2f} GB"
    if device.type != "cuda":
        return own
    return f"{own}, on the card {torch.cuda.max_memory_allocated(device) / 2**30:.2f} GB"


if __name__ == "__main__":
    main()
