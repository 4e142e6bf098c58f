"""Text to image against a plain diffusers pipeline: seconds a step, load time, peak memory.

    .venv/bin/python -m benchmarks.txt2img [--full] [--precision auto|full|bf16] [--rounds 5]

The demo checkpoint, and with --full a checkpoint of SD 1.5's full size with random weights (2 GB, made first, then
removed). The pace is measured in one process that takes turns between the two programs over the same weights; loading
and memory in a process of their own each.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from modules.engine.libraries import settle_libraries

settle_libraries()

import torch
from rich.console import Console
from rich.table import Table

import webui
from modules.catalog.checkpoints import DEFAULT
from modules.schema.events import Job, Painted, Progress
from modules.schema.requests import Sampling, Txt2Img
from modules.settings import REPOSITORY, load_settings

PROMPT = "a red circle on a blue background"
GUIDANCE = 7.0


def main() -> None:
    arguments = parse()
    if arguments.part:
        result = {"ours": ours, "plain": plain, "pace": pace}[arguments.part](arguments)
        sys.stdout.write(json.dumps(result))
        return
    table = Table(title=f"txt2img, torch {torch.__version__}, {torch.get_num_threads()} threads")
    for column in ("checkpoint", "program", "dtype", "s/step", "ratio", "load s", "decode s", "whole s", "peak GB"):
        table.add_column(column, justify="left" if column in ("checkpoint", "program", "dtype") else "right")
    measure(table, REPOSITORY, DEFAULT, arguments, size=128, steps=20)
    if arguments.full:
        from tests.engine.checkpoints import write_checkpoint

        with tempfile.TemporaryDirectory() as folder:
            write_checkpoint(Path(folder) / "models" / "Stable-diffusion" / "full.safetensors")
            measure(table, Path(folder), "full.safetensors", arguments, size=512, steps=4)
    Console(width=120).print(table)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="also measure a full-size checkpoint")
    parser.add_argument("--precision", default="auto", choices=["auto", "full", "bf16"])
    parser.add_argument("--rounds", type=int, default=5)
    for name in ("part", "data-dir", "checkpoint"):
        parser.add_argument(f"--{name}", help=argparse.SUPPRESS)
    for name in ("size", "steps"):
        parser.add_argument(f"--{name}", type=int, help=argparse.SUPPRESS)
    return parser.parse_args()


def measure(
    table: Table, data_dir: Path, checkpoint: str, arguments: argparse.Namespace, size: int, steps: int
) -> None:
    def child(part: str) -> dict:
        command = [
            sys.executable,
            "-m",
            "benchmarks.txt2img",
            "--part",
            part,
            "--data-dir",
            str(data_dir),
            "--checkpoint",
            checkpoint,
        ]
        command += ["--precision", arguments.precision, "--rounds", str(arguments.rounds)]
        command += ["--size", str(size), "--steps", str(steps)]
        return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

    paces, mine, theirs = child("pace"), child("ours"), child("plain")
    for program, alone in (("Kararli", mine), ("diffusers", theirs)):
        table.add_row(
            f"{checkpoint} {size} px, {steps} steps",
            program,
            paces["dtype"],
            f"{paces[program]:.4f}",
            f"{paces['ratio']:.3f}" if program == "Kararli" else "1",
            f"{alone['load']:.2f}",
            f"{alone['decode']:.2f}",
            f"{alone['whole']:.2f}",
            f"{alone['peak']:.2f}",
        )


def request(arguments: argparse.Namespace) -> Txt2Img:
    return Txt2Img(
        prompt=PROMPT,
        checkpoint=arguments.checkpoint,
        width=arguments.size,
        height=arguments.size,
        seed=1,
        sampling=Sampling(steps=arguments.steps, guidance_scale=GUIDANCE),
    )


def build_engine(arguments: argparse.Namespace):
    settings = load_settings({"data_dir": arguments.data_dir, "precision": arguments.precision, "device": "cpu"}, {})
    return webui.build_engine(settings)


class Stopwatch:
    """Receives our events as the page would, and notes when the steps end."""

    def __init__(self) -> None:
        self.ends: list[float] = []

    def __call__(self, event: Progress | Painted) -> None:
        if isinstance(event, Progress) and event.step:
            self.ends.append(time.perf_counter())

    def per_step(self) -> float:
        return (self.ends[-1] - self.ends[0]) / (len(self.ends) - 1)


def ours(arguments: argparse.Namespace) -> dict:
    start = time.perf_counter()
    engine = build_engine(arguments)
    engine.prepare()
    load = time.perf_counter() - start
    start = time.perf_counter()
    result = engine.run(Job("bench", request(arguments)), Stopwatch())
    whole = time.perf_counter() - start
    return {"load": load, "decode": result.timings.decode, "whole": whole, "peak": peak()}


def plain(arguments: argparse.Namespace) -> dict:
    """from_single_file as its users write it, on a folder with the configs."""
    with tempfile.TemporaryDirectory() as configs:
        write_configs(arguments, Path(configs))
        command = [sys.executable, "-c", PLAIN, arguments.checkpoint_path, configs, dtype_name(arguments)]
        command += [str(arguments.steps), str(arguments.size), PROMPT]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        return json.loads(done.stdout.splitlines()[-1])


PLAIN = """
import json, resource, sys, time
path, configs, dtype, steps, size, prompt = sys.argv[1:]
import torch
start = time.perf_counter()
from diffusers import StableDiffusionPipeline
pipe = StableDiffusionPipeline.from_single_file(
    path, config=configs, local_files_only=True, torch_dtype=getattr(torch, dtype), safety_checker=None
)
pipe.set_progress_bar_config(disable=True)
load = time.perf_counter() - start
start = time.perf_counter()
latents = pipe(prompt, num_inference_steps=int(steps), guidance_scale=7.0, width=int(size), height=int(size),
               output_type="latent").images
middle = time.perf_counter()
with torch.inference_mode():
    pipe.vae.decode(latents / pipe.vae.config.scaling_factor)
end = time.perf_counter()
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
print(json.dumps({"load": load, "decode": end - middle, "whole": end - start, "peak": peak}))
"""


def plain_pipeline(arguments: argparse.Namespace):
    """A diffusers pipeline over the very modules that our engine has loaded, and that engine."""
    from diffusers import EulerDiscreteScheduler, StableDiffusionPipeline
    from transformers import CLIPTokenizer

    engine = build_engine(arguments)
    engine.prepare()
    model = engine._workbench().models.load(arguments.checkpoint)
    scheduler = EulerDiscreteScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        timestep_spacing="linspace",
        steps_offset=1,
        prediction_type=model.architecture.prediction_type,
    )
    vocabulary = REPOSITORY / "modules" / "prompts" / "clip"
    tokenizer = CLIPTokenizer.from_pretrained(vocabulary, model_max_length=77, local_files_only=True)
    pipe = StableDiffusionPipeline(
        vae=model.vae.model, text_encoder=model._text.model, tokenizer=tokenizer, unet=model._unet,
        scheduler=scheduler, safety_checker=None, feature_extractor=None, requires_safety_checker=False,
    )  # fmt: skip
    pipe.set_progress_bar_config(disable=True)
    return engine, pipe


def pace(arguments: argparse.Namespace) -> dict:
    """Seconds a step of both, in turns; the ratio is the median of the rounds'."""
    engine, pipe = plain_pipeline(arguments)
    rounds: dict[str, list[float]] = {"Kararli": [], "diffusers": []}
    for turn in range(arguments.rounds + 1):
        watch = Stopwatch()
        engine.run(Job("bench", request(arguments)), watch)
        ends: list[float] = []

        def note(_pipe, _step, _timestep, values, ends=ends):
            ends.append(time.perf_counter())
            return values

        pipe(
            PROMPT, num_inference_steps=arguments.steps, guidance_scale=GUIDANCE, width=arguments.size,
            height=arguments.size, output_type="latent", callback_on_step_end=note,
        )  # fmt: skip
        if turn:  # the first round warms up
            rounds["Kararli"].append(watch.per_step())
            rounds["diffusers"].append((ends[-1] - ends[0]) / (len(ends) - 1))
    ratios = [mine / theirs for mine, theirs in zip(rounds["Kararli"], rounds["diffusers"], strict=True)]
    return {
        **{name: statistics.median(values) for name, values in rounds.items()},
        "ratio": statistics.median(ratios),
        "dtype": dtype_name(arguments),
    }


def dtype_name(arguments: argparse.Namespace) -> str:
    from modules.engine.devices import choose_hardware

    settings = load_settings({"data_dir": arguments.data_dir, "precision": arguments.precision, "device": "cpu"}, {})
    return choose_hardware(settings).runtime().dtype


def write_configs(arguments: argparse.Namespace, folder: Path) -> None:
    _, pipe = plain_pipeline(arguments)
    arguments.checkpoint_path = str(Path(arguments.data_dir) / "models" / "Stable-diffusion" / arguments.checkpoint)
    pipe.save_config(folder)
    for name in ("unet", "vae"):
        getattr(pipe, name).save_config(folder / name)
    pipe.text_encoder.config.save_pretrained(folder / "text_encoder")
    pipe.tokenizer.save_pretrained(folder / "tokenizer")
    pipe.scheduler.save_pretrained(folder / "scheduler")


def peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


if __name__ == "__main__":
    main()
