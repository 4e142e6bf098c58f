import pytest
import torch

from modules.engine.sampling.arcs import ArcNoise, OrbitNoise, along_arc
from modules.engine.sampling.noise import PictureNoise

SHAPE = (4, 16, 16)


def noise(seed: int) -> PictureNoise:
    return PictureNoise(seed, SHAPE, torch.device("cpu"))


def test_an_arc_keeps_the_length_over_the_whole_tensor() -> None:
    low, high = noise(1).draw(), noise(2).draw()
    for share in (0.0, 0.1, 0.5, 0.9, 1.0):
        length = low.norm() * (1 - share) + high.norm() * share
        torch.testing.assert_close(along_arc(low, high, share).norm(), length)
    straight = (low + high) / 2
    assert straight.norm() < 0.8 * low.norm()  # what a straight line would do to it


def test_an_arc_ends_exactly_where_it_should() -> None:
    low, high = noise(1).draw(), noise(2).draw()
    assert along_arc(low, high, 0.0) is low
    assert along_arc(low, high, 1.0) is high


@pytest.mark.parametrize("other", [1.0, -1.0, 1.000001])
def test_an_arc_between_parallels_stays_finite(other: float) -> None:
    low = noise(1).draw()
    assert torch.isfinite(along_arc(low, low * other, 0.5)).all()
    assert torch.isfinite(along_arc(low[0], low[0] * 0, 0.25, dim=-1)).all()


def test_every_draw_lies_on_the_arc_so_that_samplers_that_add_noise_move_smoothly() -> None:
    mixed, low, high = ArcNoise(noise(1), noise(2), 0.3), noise(1), noise(2)
    for _ in range(3):
        torch.testing.assert_close(mixed.draw(), along_arc(low.draw(), high.draw(), 0.3))
    span = (0.03, 14.6)
    assert ArcNoise(noise(1), noise(2), 0.5).brownian(10.0, 5.0, span).std() == pytest.approx(1, abs=0.1)


def test_an_orbit_stays_at_its_angle_and_its_points_are_evenly_apart() -> None:
    centre = noise(1).draw()
    points = [OrbitNoise(noise(1), noise(2), noise(3), 0.4, turn / 8).draw() for turn in range(8)]
    for point in points:
        cosine = (point * centre).sum() / (point.norm() * centre.norm())
        assert torch.acos(cosine).item() == pytest.approx(0.4, abs=1e-3)
        torch.testing.assert_close(point.norm(), centre.norm())
    apart = [(one - other).norm().item() for one, other in zip(points, [*points[1:], points[0]], strict=True)]
    assert apart == pytest.approx([apart[0]] * 8, rel=1e-3)
