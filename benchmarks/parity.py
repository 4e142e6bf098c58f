"""How equal our pictures and walks are to those of other programs; prints the tables of docs/parity.md.

    .venv/bin/python -m benchmarks.parity [--cases tests/engine/golden] [--data-dir FOLDER] [--case NAME] [--only-walks]

`--cases` is a folder with cases.json and the pictures that AUTOMATIC1111 1.10.1 painted, on the CPU in fp32, with the
checkpoint of tests/engine/checkpoints.py (2 GB; it is made first, in `--data-dir` if that is given, and kept there).
Where the package k-diffusion is found, its samplers walk beside ours. It is no part of this project; it goes into a
folder of its own with `pip install --no-deps --target FOLDER k-diffusion torchdiffeq torchsde trampoline`, and is found
with PYTHONPATH=FOLDER.
"""

import argparse
import importlib
import importlib.util
import json
import math
import sys
import tempfile
import types
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

from modules.engine.libraries import settle_libraries

settle_libraries()

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from modules.api.sdapi_models import Img2ImgBody, Txt2ImgBody
from modules.engine.sampling.loop import sample
from modules.engine.sampling.noise import PictureNoise, SeededNoise
from modules.engine.sampling.plan import Plan
from modules.engine.sampling.schedules import SCHEDULES
from modules.schema.media import digest_of
from modules.schema.requests import Request
from modules.schema.sampling import AUTOMATIC
from modules.settings import REPOSITORY
from tests.engine.checkpoints import write_checkpoint
from tests.engine.conftest import build, paint
from tests.engine.pictures import parity_inputs
from tests.engine.sampling.mixture import LEVELS, Mixture, plan_of

NAME = "sd15-random.safetensors"
SEED, SHAPE, STEPS = 3, (4, 16, 16), 8

K_DIFFUSION: dict[str, tuple[str, dict[str, Any]]] = {
    "Euler": ("euler", {}),
    "Euler a": ("euler_ancestral", {}),
    "Heun": ("heun", {}),
    "LMS": ("lms", {}),
    "DPM2": ("dpm_2", {}),
    "DPM2 a": ("dpm_2_ancestral", {}),
    "DPM++ 2S a": ("dpmpp_2s_ancestral", {}),
    "DPM++ 2M": ("dpmpp_2m", {}),
    "DPM++ SDE": ("dpmpp_sde", {"tree": True}),
    "DPM++ 2M SDE": ("dpmpp_2m_sde", {"tree": True}),
    "DPM++ 2M SDE Heun": ("dpmpp_2m_sde", {"tree": True, "solver_type": "heun"}),
    "DPM++ 3M SDE": ("dpmpp_3m_sde", {"tree": True}),
    "DPM fast": ("dpm_fast", {"n": STEPS, "eta": 1.0}),
    "DPM adaptive": ("dpm_adaptive", {"eta": 1.0}),
}
"""Its function, and what AUTOMATIC1111 calls it with."""

ENCODER_NOISE = {"img2img": 1024, "inpaint original": 3520, "inpaint only masked": 4800}
"""How many numbers that program's generator had given before these cases: found by trying."""

DIFFUSERS: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "DDIM": ("DDIMScheduler", {"clip_sample": False, "set_alpha_to_one": False, "timestep_spacing": "trailing"}, {}),
    "TCD": ("TCDScheduler", {"clip_sample": False}, {"eta": 0.0}),
    "DEIS": ("DEISMultistepScheduler", {"solver_order": 3, "use_karras_sigmas": True, "lower_order_final": False}, {}),
}
"""Its class, what it is made with, and what its steps are called with."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=Path, default=REPOSITORY / "tests" / "engine" / "golden")
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--case", action="append", help="one of the cases, by its name")
    parser.add_argument("--only-walks", action="store_true", help="leave out the pictures")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    if not arguments.only_walks:
        with tempfile.TemporaryDirectory() as folder:
            pictures(arguments.cases, arguments.data_dir or Path(folder), arguments.case)
    if importlib.util.find_spec("k_diffusion"):
        walks_beside_k_diffusion(load_k_diffusion())
    walks_beside_diffusers()


def pictures(cases: Path, data_dir: Path, only: list[str] | None = None) -> None:
    """Every case, or those of the given names."""
    file = data_dir / "models" / "Stable-diffusion" / NAME
    if not file.exists():
        write_checkpoint(file)
    engine = build(data_dir, precision="full", device="cpu")
    row("case", "within 1/255", "identical", "largest")
    row("---", "---", "---", "---")
    for name, case in json.loads((cases / "cases.json").read_text()).items():
        if only and name not in only:
            continue
        folder = cases / "golden" if (cases / "golden").is_dir() else cases
        request, inputs = read_case(name, case, (folder / case["infotext"]).read_text())
        painted = [np.asarray(event.picture.image()).astype(int) for event in paint(engine, request, inputs=inputs)]
        wanted = [np.asarray(Image.open(folder / file).convert("RGB")).astype(int) for file in case["pictures"]]
        if [each.shape for each in painted] != [each.shape for each in wanted]:
            row(name, "other size", "", "")
            continue
        apart = np.abs(np.stack(painted) - np.stack(wanted))
        row(name, f"{(apart <= 1).mean():.2%}", f"{(apart == 0).mean():.2%}", f"{apart.max()}/255")


def read_case(name: str, case: dict[str, Any], text: str) -> tuple[Request, dict[str, bytes]]:
    """A case's request, and its input pictures by their digests. Without an RNG in its text it was the processor's."""
    settings = {
        **case["request"].get("override_settings", {}),
        "encoder_noise": ENCODER_NOISE.get(name, -1),
        "randn_source": "NV" if "RNG: NV" in text else "CPU",
    }
    body = {**case["request"], "override_settings": settings}
    if case["endpoint"] == "txt2img":
        return Txt2ImgBody.model_validate(body).request().model_copy(update={"checkpoint": NAME}), {}
    body |= {"init_images": ["picture"], "mask": "mask" if body.get("mask") else None}
    files = parity_inputs()
    request = Img2ImgBody.model_validate(body).request(lambda named: digest_of(files[named]))
    return request.model_copy(update={"checkpoint": NAME}), {digest_of(data): data for data in files.values()}


def walks_beside_k_diffusion(theirs: types.ModuleType) -> None:
    """The largest difference of each sampler over each schedule, of latents whose deviation is about 1.4."""
    labels = [AUTOMATIC, *(schedule.label for schedule in SCHEDULES)]
    row("sampler", *labels)
    row("---", *["---"] * len(labels))
    for name, (function, options) in K_DIFFUSION.items():
        cells: list[str] = []
        for label in labels:
            plan = plan_of(name, label, STEPS)
            if plan.sampler.spaces_itself and label != AUTOMATIC:
                cells.append("")
                continue
            apart = (ours(plan) - k_diffusion_walk(theirs, f"sample_{function}", plan, dict(options))).abs().max()
            cells.append(f"{float(apart):.0e}")
        row(name, *cells)


def walks_beside_diffusers() -> None:
    row("sampler", "diffusers' scheduler", "largest difference")
    row("---", "---", "---")
    for name, (scheduler, made, called) in DIFFUSERS.items():
        sigmas, end = diffusers_walk(name, scheduler, made, called)
        plan = replace(plan_of(name, steps=STEPS, eta=0), sigmas=sigmas)
        row(name, scheduler, f"{float((ours(plan) - end).abs().max()):.0e}")


def ours(plan: Plan) -> Tensor:
    noise = SeededNoise([PictureNoise(SEED, SHAPE, torch.device("cpu"))])
    return sample(Mixture(), noise, plan, lambda _step, _steps, _clean: None)


class OwnGenerator:
    """Stands in for torch inside k-diffusion: randn_like draws from the picture's generator, as in AUTOMATIC1111."""

    def __init__(self) -> None:
        self._generator = torch.Generator().manual_seed(SEED)

    def __getattr__(self, name: str) -> Any:
        return getattr(torch, name)

    def randn_like(self, like: Tensor) -> Tensor:
        return torch.randn(like.shape[1:], generator=self._generator)[None]


def k_diffusion_walk(theirs: types.ModuleType, function: str, plan: Plan, options: dict[str, Any]) -> Tensor:
    generator, model = OwnGenerator(), Mixture()
    theirs.torch = generator  # type: ignore[attr-defined]
    sigmas = torch.tensor(plan.sigmas)
    latents = generator.randn_like(torch.empty(1, *SHAPE)) * sigmas[0]
    if options.pop("tree", False):
        span = sigmas[sigmas > 0].min(), sigmas.max()
        options["noise_sampler"] = theirs.BrownianTreeNoiseSampler(latents, *span, seed=[SEED])
    given = (LEVELS.sigmas[0], LEVELS.sigmas[-1]) if plan.sampler.spaces_itself else (sigmas,)
    return getattr(theirs, function)(
        lambda latents, sigma: model(latents, float(sigma[0])), latents, *given, disable=True, **options
    )


def load_k_diffusion() -> types.ModuleType:
    """Its sampling module alone; the package itself would import models and image transforms."""
    found = importlib.util.find_spec("k_diffusion")
    assert found and found.submodule_search_locations
    [folder] = found.submodule_search_locations
    package, utils = types.ModuleType("k_diffusion"), types.ModuleType("k_diffusion.utils")
    package.__path__ = [folder]
    utils.append_dims = lambda x, dims: x[(...,) + (None,) * (dims - x.ndim)]  # type: ignore[attr-defined]
    package.utils = utils  # type: ignore[attr-defined]
    sys.modules |= {"k_diffusion": package, "k_diffusion.utils": utils}
    return importlib.import_module("k_diffusion.sampling")


def diffusers_walk(ours: str, name: str, made: dict[str, Any], called: dict[str, Any]) -> tuple[list[float], Tensor]:
    """(noise levels, end) of a diffusers scheduler over the same model, from the same noise."""
    import diffusers

    scheduler = getattr(diffusers, name)(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", **made)
    scheduler.set_timesteps(STEPS)
    model, latents = Mixture(), torch.randn(SHAPE, generator=torch.Generator().manual_seed(SEED))[None]
    products = scheduler.alphas_cumprod
    if hasattr(scheduler, "sigmas"):
        sigmas = [float(sigma) for sigma in scheduler.sigmas]
    else:
        steps = [int(timestep) for timestep in scheduler.timesteps]
        ends = [*steps, max(0, steps[-1] - 1000 // STEPS if name == "DDIMScheduler" else 0)]
        sigmas = [math.sqrt(1 / float(products[timestep]) - 1) for timestep in ends]
    unit = plan_of(ours).sampler.start == "vp"  # else the latents have the noise's scale, and so has their end
    latents = latents * (1 if unit else sigmas[0] / math.hypot(1, sigmas[0]))
    for timestep, sigma in zip(scheduler.timesteps, sigmas, strict=False):
        noisy = latents * math.hypot(1, sigma)
        latents = scheduler.step((noisy - model(noisy, sigma)) / sigma, timestep, latents, **called).prev_sample
    return sigmas, latents * (1 if unit else math.hypot(1, sigmas[-1]))


def row(*cells: str) -> None:
    print("|", " | ".join(cells), "|", flush=True)


if __name__ == "__main__":
    main()
