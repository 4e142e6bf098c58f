"""Tiles leave no seams, and are the whole picture where no pixel looks too far."""

import numpy as np
import pytest
import torch
from PIL import Image

from modules.catalog.upscaler_architecture import Compact, Rrdb
from modules.engine.devices import Hardware
from modules.engine.vision.tiles import in_tiles, plan_tiles
from modules.engine.vision.upscaler_models import UpscalerModel, load_network
from modules.schema.requests import Tiles
from tests.engine import upscaler_weights as made

CPU = Hardware(torch.device("cpu"), torch.float32, "sdpa")


def model_of(architecture: Rrdb | Compact) -> UpscalerModel:
    return loaded(architecture, made.drawn(architecture, strength=0.5))


def loaded(architecture: Rrdb | Compact, weights: made.Weights) -> UpscalerModel:
    network, scale = load_network("x", architecture, weights)
    return UpscalerModel(network.eval(), scale, CPU)


def far_sighted() -> UpscalerModel:
    """Hands pixels on, and adds what depends on all that lies around them."""
    architecture = Rrdb(width=8, growth=4, blocks=3, doublings=1)
    carried, drawn = made.carrying(architecture), made.drawn(architecture, strength=1.0)
    inner = {name: tensor for name, tensor in drawn.items() if name.startswith(("body.", "conv_body."))}
    inner["conv_body.weight"] = inner["conv_body.weight"] * 0.1
    inner["conv_body.bias"] = torch.zeros(8)
    return loaded(architecture, {**carried, **inner})


def gradient(width: int, height: int) -> Image.Image:
    """Smooth from left to right and from top to bottom."""
    across, down = np.linspace(20, 230, width), np.linspace(10, 200, height)
    shades = np.stack(np.broadcast_arrays(across[None, :], down[:, None], (across[None, :] + down[:, None]) / 2), -1)
    return Image.fromarray(shades.astype(np.uint8))


def noise(width: int, height: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(3).integers(0, 256, (height, width, 3), dtype=np.uint8))


def apart(one: Image.Image, other: Image.Image) -> np.ndarray:
    return np.abs(np.asarray(one, np.int16) - np.asarray(other, np.int16))


@pytest.mark.parametrize("size", [(1, 1), (63, 65), (64, 64), (66, 200), (257, 131), (1000, 40)])
@pytest.mark.parametrize(("tile", "overlap"), [(64, 0), (64, 32), (48, 500), (0, 32), (16, 4)])
def test_every_pixel_comes_back_in_its_place(size: tuple[int, int], tile: int, overlap: int) -> None:
    image = noise(*size)
    plan = plan_tiles(size, (tile, tile), overlap)
    pixels = np.asarray(image)
    result = in_tiles(pixels, plan, 1, lambda part: part.astype(np.float32) / 255)
    assert np.array_equal(result, pixels)
    assert all(tile in (0, end - begin) or end - begin <= tile + 3 for begin, end in plan.columns + plan.rows)


@pytest.mark.parametrize("size", [(96, 96), (101, 77), (300, 50)])
def test_tiles_equal_the_whole_where_no_pixel_looks_farther_than_the_overlap(size: tuple[int, int]) -> None:
    model = model_of(Compact(width=8, layers=4, scale=2, slopes=8))  # each pixel looks 6 pixels far
    image = noise(*size)
    whole, tiled = model(image, Tiles(tile=0)), model(image, Tiles(tile=48, overlap=16))
    assert apart(whole, tiled).max() <= 1
    assert (apart(whole, tiled) > 0).mean() < 0.001


def test_tiles_of_a_network_that_takes_squares_together_take_the_same_squares() -> None:
    architecture = Rrdb(width=8, growth=4, blocks=1, doublings=2, unshuffle=4)
    model, image = loaded(architecture, made.carrying(architecture)), noise(150, 90)
    assert apart(model(image, Tiles(tile=0)), model(image, Tiles(tile=48, overlap=8))).max() <= 1


@pytest.mark.parametrize("overlap", [16, 32, 64])
def test_no_seam_is_seen_on_a_gradient(overlap: int) -> None:
    """An RRDB network looks far beyond any overlap; all the same no step between tiles is above 1 of 255."""
    model, image = far_sighted(), gradient(320, 256)
    whole, tiled = model(image, Tiles(tile=0)), model(image, Tiles(tile=128, overlap=overlap))
    inside = (slice(2, -2), slice(2, -2))
    assert np.asarray(whole).std(axis=(0, 1)).min() > 5  # there is something to see
    assert apart(whole, tiled)[inside].max() <= 1


def test_a_cut_without_overlap_would_be_seen_on_the_same_gradient() -> None:
    model, image = far_sighted(), gradient(320, 256)
    assert apart(model(image, Tiles(tile=0)), model(image, Tiles(tile=128, overlap=0))).max() > 3


def test_whoever_watches_hears_of_every_tile_and_may_end_it() -> None:
    class Enough(Exception):
        pass

    heard: list[tuple[int, int]] = []

    def tell(done: int, of: int) -> None:
        heard.append((done, of))
        if done == 3:
            raise Enough

    with pytest.raises(Enough):
        model_of(Compact(width=4, layers=1, scale=2, slopes=4))(noise(128, 128), Tiles(tile=64, overlap=0), tell)
    assert heard == [(1, 4), (2, 4), (3, 4)]
