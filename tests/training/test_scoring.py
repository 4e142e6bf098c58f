"""The whole proof, on 2,000 and 500 pictures, is `python -m training.proof`."""

import random

import cv2
import pytest
import torch

from training.proof import WRONGS, pixels_of, right_share, wrong_found
from training.scoring import UNKNOWN, judge, look
from training.world import COLOURS, PLACES, SHAPES, Figure, Painter, Scene, draw_scene, placed


@pytest.fixture(scope="module")
def painter() -> Painter:
    return Painter()


@pytest.mark.parametrize("side", [256, 128])
def test_the_scorer_finds_what_was_drawn(side: int) -> None:
    assert right_share(120, side) >= 0.985


def test_the_scorer_refuses_what_was_not_asked_for() -> None:
    share, passed = wrong_found(4 * len(WRONGS), 256)
    assert share == 1, passed


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("radius", [0.1, 0.2, 0.32])
def test_each_shape_is_told_at_each_size(shape: str, radius: float, painter: Painter) -> None:
    scene = Scene("white", (Figure(shape, "blue", radius=radius),), "", "single")
    (seen,) = look(pixels_of(painter, [scene], 256)[0]).figures
    assert (seen.shape, seen.colour) == (shape, "blue")
    assert seen.radius == pytest.approx(radius, abs=0.035)


@pytest.mark.parametrize("shape", ["arrow", "house"])
def test_a_shape_that_is_not_among_the_eight_has_no_name(shape: str, painter: Painter) -> None:
    scene = Scene("white", (Figure(shape, "blue", radius=0.25),), "", "single")
    assert look(pixels_of(painter, [scene], 256)[0]).figures[0].shape == UNKNOWN


@pytest.mark.parametrize("background", COLOURS)
def test_each_background_and_each_colour_on_it_is_told(background: str, painter: Painter) -> None:
    others = [colour for colour in COLOURS if colour != background]
    scenes = [Scene(background, (Figure("circle", colour),), "", "single") for colour in others]
    views = [look(pixels) for pixels in pixels_of(painter, scenes, 256)]
    assert {view.background for view in views} == {background}
    assert [view.figures[0].colour for view in views] == others


@pytest.mark.parametrize("place", PLACES)
def test_each_place_is_told_for_small_and_large_figures(place: str, painter: Painter) -> None:
    source = random.Random(3)
    for radius in (0.12, 0.2, 0.3):
        x, y = placed(source, place, radius)
        scene = Scene("black", (Figure("star", "yellow", x, y, radius),), "", "single")
        assert look(pixels_of(painter, [scene], 256)[0]).figures[0].place == place


def test_an_empty_picture_has_no_figures(painter: Painter) -> None:
    view = look(pixels_of(painter, [Scene("pink", (Figure("star", "red", opacity=0.0),), "", "single")], 256)[0])
    assert (view.background, view.figures) == ("pink", ())


def test_jpeg_and_noise_do_not_matter(painter: Painter) -> None:
    source = random.Random(4)
    scenes = [draw_scene(source, "single") for _ in range(40)]
    right = 0
    for pixels, scene in zip(pixels_of(painter, scenes, 256), scenes, strict=True):
        noisy = (
            torch.from_numpy(pixels).float() + torch.randn(256, 256, 3, generator=torch.Generator().manual_seed(1)) * 6
        )
        _, file = cv2.imencode(".jpg", noisy.clamp(0, 255).byte().numpy()[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 75])
        right += judge(cv2.imdecode(file, cv2.IMREAD_COLOR)[..., ::-1], scene).whole
    assert right >= 39
