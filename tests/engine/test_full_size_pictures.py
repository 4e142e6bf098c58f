"""Hires fix and pictures from pictures equal those that AUTOMATIC1111 1.10.1 painted, with random weights of full size.

That program draws the latents of an input picture with its process' generator, which stands where earlier work has left
it. Where it stood for these pictures was found by trying: so many numbers after their seed.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from modules.engine.engine import Engine
from modules.schema.requests import Hires, Img2Img, Inpaint, Masking, Request, Sampling, Seeding, Txt2Img
from tests.engine.pictures import paint_from, parity_inputs
from tests.engine.test_full_size import GOLDEN, NAME, exact_engine, full_size  # noqa: F401 - fixtures

pytestmark = pytest.mark.slow

COMMON: dict[str, Any] = {
    "prompt": "a photo of a cat", "negative_prompt": "blurry", "seed": 1, "width": 64, "height": 64,
    "checkpoint": NAME, "sampling": Sampling(steps=8), "seeding": Seeding(noise_source="NV"),
}  # fmt: skip

ONLY_MASKED = Masking(only_masked=True, padding=8)
CASES: dict[str, Request] = {
    "hires_latent": Txt2Img(**COMMON, hires=Hires(enabled=True, strength=0.6)),
    "img2img": Img2Img(**COMMON, strength=0.6, encoder_noise=1024),
    "inpaint_original": Inpaint(**COMMON, masking=Masking(own_size=False), encoder_noise=3520),
    "inpaint_only_masked": Inpaint(**COMMON, masking=ONLY_MASKED, encoder_noise=4800),
}


@pytest.mark.parametrize("case", CASES)
def test_pictures_equal_those_that_automatic1111_painted(
    exact_engine: Engine, case: str  # noqa: F811
) -> None:  # fmt: skip
    request = CASES[case]
    (ours,) = paint_from(
        exact_engine, request, **{name: parity_inputs()[name] for name in ("picture", "mask") if hasattr(request, name)}
    )
    with Image.open(Path(GOLDEN) / f"{case}.0.png") as golden:
        wanted = np.asarray(golden.convert("RGB")).astype(int)
    assert (np.abs(np.asarray(ours).astype(int) - wanted) <= 1).mean() >= 0.999
