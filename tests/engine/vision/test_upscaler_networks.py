"""The networks compute what their papers say: against a second implementation, from every spelling of the names."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from modules.catalog.headers import read_header
from modules.catalog.upscaler_architecture import Compact, Rrdb, detect_upscaler
from modules.engine.devices import Hardware
from modules.engine.vision.upscaler_models import UpscalerModel, load_network
from modules.schema.requests import Tiles
from tests.engine import upscaler_weights as made

CPU = Hardware(torch.device("cpu"), torch.float32, "sdpa")
WHOLE = Tiles(tile=0)


def read(path: Path, weights: made.Weights) -> UpscalerModel:
    """The model as a job would get it: what the header says, with the file's weights."""
    network, scale = load_network(path.stem, detect_upscaler(read_header(path)), weights)
    return UpscalerModel(network.eval(), scale, CPU)


def noise(height: int, width: int) -> torch.Tensor:
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(1))


def picture(width: int, height: int) -> Image.Image:
    values = np.random.default_rng(5).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(values)


SPELLINGS: dict[str, Callable[[str, int], str]] = {
    "newest": made.newest,
    "ema": made.ema,
    "middle": made.middle,
    "oldest": made.oldest(2),
}


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("doublings", [0, 1, 2, 3])
def test_an_esrgan_of_any_spelling_and_scale_is_computed_as_its_paper_says(
    tmp_path: Path, spelling: str, doublings: int
) -> None:
    weights = made.drawn(Rrdb(width=8, growth=4, blocks=2, doublings=doublings))
    file = made.spelled(weights, SPELLINGS[spelling])
    model = read(made.save(tmp_path, "x", file), file)
    assert model.scale == 2**doublings
    x = noise(7, 9)
    torch.testing.assert_close(model.network(x), made.rrdb(x, weights, 2, doublings), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("unshuffle", "scale"), [(2, 2), (4, 1)])
def test_a_real_esrgan_takes_squares_of_pixels_together(tmp_path: Path, unshuffle: int, scale: int) -> None:
    architecture = Rrdb(width=8, growth=4, blocks=1, doublings=2, unshuffle=unshuffle)  # type: ignore[arg-type]
    weights = made.drawn(architecture)
    model = read(made.save(tmp_path, "x", weights), weights)
    assert model.scale == scale
    x = noise(8, 12)
    expected = made.rrdb(x, weights, 1, 2, unshuffle)
    torch.testing.assert_close(model.network(x), expected, atol=1e-5, rtol=1e-5)
    assert model.network(noise(7, 11)).shape == (1, 3, 7 * scale, 11 * scale)


@pytest.mark.parametrize("spelling", ["newest", "oldest"])
def test_an_esrgan_plus_has_its_further_shortcuts(tmp_path: Path, spelling: str) -> None:
    weights = made.drawn(Rrdb(width=8, growth=4, blocks=2, doublings=2, plus=True))
    file = made.spelled(weights, SPELLINGS[spelling])
    model = read(made.save(tmp_path, "x", file), file)
    x = noise(6, 5)
    torch.testing.assert_close(model.network(x), made.rrdb(x, weights, 2, 2), atol=1e-5, rtol=1e-5)
    plain = {name: tensor for name, tensor in weights.items() if "conv1x1" not in name}
    assert (model.network(x) - made.rrdb(x, plain, 2, 2)).abs().max() > 1e-3


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
@pytest.mark.parametrize("slopes", [1, 8])
def test_a_compact_upscaler_is_computed_as_its_paper_says(tmp_path: Path, scale: int, slopes: int) -> None:
    weights = made.drawn(Compact(width=8, layers=3, scale=scale, slopes=slopes))
    model = read(made.save(tmp_path, "x", weights), weights)
    assert model.scale == scale
    x = noise(7, 9)
    torch.testing.assert_close(model.network(x), made.compact(x, weights, scale), atol=1e-5, rtol=1e-5)


def test_a_compact_upscaler_of_zeros_is_nearest_neighbours(tmp_path: Path) -> None:
    weights = made.silent(Compact(width=4, layers=1, scale=3, slopes=4))
    image = picture(11, 7)
    large = read(made.save(tmp_path, "x", weights), weights)(image, WHOLE)
    assert large.tobytes() == image.resize((33, 21), Image.Resampling.NEAREST).tobytes()


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_an_esrgan_that_hands_pixels_on_is_nearest_neighbours(tmp_path: Path, spelling: str) -> None:
    weights = made.carrying(Rrdb(width=8, growth=4, blocks=2, doublings=2))
    file = made.spelled(weights, SPELLINGS[spelling])
    image = picture(5, 6)
    large = read(made.save(tmp_path, "x", file), file)(image, WHOLE)
    assert large.tobytes() == image.resize((20, 24), Image.Resampling.NEAREST).tobytes()


def test_a_real_esrgan_x2_that_hands_pixels_on_averages_squares(tmp_path: Path) -> None:
    weights = made.carrying(Rrdb(width=8, growth=4, blocks=1, doublings=2, unshuffle=2))
    image = picture(8, 6)
    large = np.asarray(read(made.save(tmp_path, "x", weights), weights)(image, WHOLE), np.float64)
    averages = np.asarray(image, np.float64).reshape(3, 2, 4, 2, 3).mean(axis=(1, 3))
    assert np.abs(large - averages.repeat(4, axis=0).repeat(4, axis=1)).max() <= 0.51


def test_weights_in_half_precision_are_computed_in_single(tmp_path: Path) -> None:
    weights = {
        name: tensor.half() for name, tensor in made.drawn(Compact(width=8, layers=2, scale=2, slopes=8)).items()
    }
    model = read(made.save(tmp_path, "x", weights), weights)
    single = {name: tensor.float() for name, tensor in weights.items()}
    x = noise(5, 5)
    torch.testing.assert_close(model.network(x), made.compact(x, single, 2), atol=1e-5, rtol=1e-5)
