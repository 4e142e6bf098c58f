"""A walk between two prompts: frames a second, batched and singly, beside a loop over a plain diffusers pipeline.

    .venv/bin/python -m benchmarks.animate [--frames 24] [--steps 12] [--precision auto|full|bf16] [--rounds 3]

All three share one process and the same weights, and take turns; the frames are the same ones: noise along the arc,
embeddings on a straight line, both guided, decoded, and put into a PNG or into memory as each program does.
"""

import argparse
import statistics
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
from modules.engine.engine import Engine
from modules.engine.sampling.arcs import along_arc
from modules.prompts.evaluating import Timeline
from modules.schema.animation import Filming, Keyframe
from modules.schema.events import Job, Painted, Progress
from modules.schema.requests import Interpolate, Reading, Sampling
from modules.settings import REPOSITORY, load_settings

PROMPTS = ("a red circle on a white background", "a blue square on a white background")
GUIDANCE, SEEDS, SIDE = 7.0, (3, 9), 128


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=24)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--precision", default="auto", choices=["auto", "full", "bf16"])
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        checkpoints = Path(folder) / "models" / "Stable-diffusion"
        checkpoints.mkdir(parents=True)
        (checkpoints / DEFAULT).symlink_to(REPOSITORY / "models" / "Stable-diffusion" / DEFAULT)
        engine = webui.build_engine(load_settings({"data_dir": folder, "precision": arguments.precision}, {}))
        assert isinstance(engine, Engine)
        runtime = engine.prepare()
        ways = {
            "Kararli, 8 frames at once": lambda: ours(engine, arguments, 8),
            "Kararli, one at a time": lambda: ours(engine, arguments, 1),
            "diffusers, one at a time": lambda: plain(engine, arguments),
        }
        seconds: dict[str, list[float]] = {name: [] for name in ways}
        for turn in range(arguments.rounds + 1):
            for name, way in ways.items():
                start = time.perf_counter()
                way()
                if turn:  # the first round warms up
                    seconds[name].append(time.perf_counter() - start)
    title = f"{arguments.frames} frames of {arguments.steps} steps at {SIDE} px, {runtime.device} {runtime.dtype}"
    table = Table("", "frames/s", "ratio", title=f"{title}, {torch.get_num_threads()} threads")
    base = seconds["diffusers, one at a time"]
    for name, rounds in seconds.items():
        ratio = statistics.median(theirs / mine for theirs, mine in zip(base, rounds, strict=True))
        table.add_row(name, f"{arguments.frames / statistics.median(rounds):.2f}", f"{ratio:.2f}")
    Console(width=100).print(table)


def ours(engine: Engine, arguments: argparse.Namespace, at_once: int) -> int:
    keyframes = (
        Keyframe(prompt=PROMPTS[0], seed=SEEDS[0]),
        Keyframe(time=arguments.frames - 1, prompt=PROMPTS[1], seed=SEEDS[1]),
    )
    request = Interpolate(
        keyframes=keyframes, filming=Filming(fps=1), width=SIDE, height=SIDE, checkpoint=DEFAULT, seed=0,
        batch_size=at_once, sampling=Sampling(steps=arguments.steps, guidance_scale=GUIDANCE),
    )  # fmt: skip
    painted = 0

    def report(event: Progress | Painted) -> None:
        nonlocal painted
        painted += isinstance(event, Painted)

    engine.run(Job("bench", request), report)
    assert painted == arguments.frames
    return painted


@torch.inference_mode()
def plain(engine: Engine, arguments: argparse.Namespace) -> int:
    """As its users write it: a call of the pipeline a frame."""
    from diffusers import EulerDiscreteScheduler, StableDiffusionPipeline

    model = engine._workbench().models.load(DEFAULT)
    scheduler = EulerDiscreteScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", timestep_spacing="linspace",
        prediction_type=model.architecture.prediction_type,
    )  # fmt: skip
    pipe = StableDiffusionPipeline(
        vae=model.vae.model, text_encoder=None, tokenizer=None, unet=model._unet, scheduler=scheduler,  # type: ignore[arg-type]
        safety_checker=None, feature_extractor=None, requires_safety_checker=False,  # type: ignore[arg-type]
    )  # fmt: skip
    pipe.set_progress_bar_config(disable=True)
    pipe.vae.register_to_config(scaling_factor=model.architecture.vae.scaling_factor)
    read = [model.embed((prompt, ""), Reading(), Timeline(arguments.steps)) for prompt in PROMPTS]
    texts = [text.positive[0].at(0) for text in read]
    shape = model.latent_shape((SIDE, SIDE))
    noises = [torch.randn(shape, generator=torch.Generator().manual_seed(seed)) for seed in SEEDS]
    for frame in range(arguments.frames):
        share = frame / (arguments.frames - 1)
        latents = along_arc(noises[0], noises[1], share)[None].to(model.hardware.device, texts[0].dtype)
        latents = pipe(
            prompt_embeds=torch.lerp(texts[0].float(), texts[1].float(), share).to(texts[0].dtype),
            negative_prompt_embeds=read[0].negative.at(0), latents=latents, num_inference_steps=arguments.steps,
            guidance_scale=GUIDANCE, width=SIDE, height=SIDE, output_type="latent",
        ).images  # fmt: skip
        pixels = pipe.vae.decode((latents / pipe.vae.config.scaling_factor).to(pipe.vae.dtype)).sample
        pipe.image_processor.postprocess(pixels, output_type="pil")
    return arguments.frames


if __name__ == "__main__":
    main()
