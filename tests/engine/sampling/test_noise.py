"""Noise: known numbers, and what a picture's noise depends on."""

import numpy as np
import pytest
import torch
from torch import Tensor

from modules.engine.sampling.brownian import BrownianTree
from modules.engine.sampling.noise import PictureNoise, SeededNoise, noise_of, open_source, paste_into_middle, slerp
from modules.engine.sampling.philox import Philox, philox4x32
from modules.schema.requests import Seeding, Txt2Img

CPU = torch.device("cpu")
SHAPE = (4, 8, 8)

CUDA_SEED_0 = [
    [-0.92466259, -0.42534415, -2.6438457, 0.14518388],
    [-0.12086647, -0.57972564, -0.62285122, -0.32838709],
    [-1.07454231, -0.36314407, -1.67105067, 2.26550497],
]
"""torch.manual_seed(0); torch.randn((3, 4), device="cuda")."""


def latent_shape(size: tuple[int, int]) -> tuple[int, int, int]:
    return 4, size[1] // 8, size[0] // 8


def first_noise(indices: tuple[int, ...] = (0,), size: tuple[int, int] = (64, 64), count: int = 4, **seeding) -> Tensor:
    request = Txt2Img(seed=7, width=size[0], height=size[1], batch_count=count, seeding=Seeding(**seeding))
    return noise_of(request, indices, latent_shape, CPU).draw()


def plain(seed: int, shape: tuple[int, ...] = SHAPE) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def test_philox_gives_the_words_of_its_authors_test_vectors() -> None:
    zeros = philox4x32(np.zeros((4, 1), dtype=np.uint64), np.zeros(2, dtype=np.uint64))
    assert [hex(word) for word in zeros[:, 0]] == ["0x6627e8d5", "0xe169c58d", "0xbc57ac4c", "0x9b00dbd8"]
    ones = philox4x32(np.full((4, 1), 2**32 - 1, dtype=np.uint64), np.full(2, 2**32 - 1, dtype=np.uint64))
    assert [hex(word) for word in ones[:, 0]] == ["0x408f276d", "0x41c83b0e", "0xa20bc7c6", "0x6d5451fd"]


def test_philox_draws_what_a_cuda_card_draws() -> None:
    assert Philox(0).randn((3, 4)) == pytest.approx(np.array(CUDA_SEED_0), abs=2e-7)


def test_philox_goes_on_with_other_numbers_and_large_seeds_count_whole() -> None:
    philox = Philox(3)
    first, second = philox.randn((100,)), philox.randn((100,))
    assert np.abs(first - second).max() > 0.1
    assert np.array_equal(Philox(3).randn((10, 10)).ravel(), first)
    assert np.abs(Philox(3 + 2**32).randn((100,)) - first).max() > 0.1
    many = Philox(5).randn((50_000,))
    assert many.dtype == np.float32
    assert (float(many.mean()), float(many.std())) == pytest.approx((0, 1), abs=0.02)


@pytest.mark.parametrize("kind", ["CPU", "NV", "GPU"])
def test_a_batch_has_the_noise_of_its_pictures_in_every_draw(kind: str) -> None:
    seeding = Seeding(noise_source=kind)  # type: ignore[arg-type]
    together = SeededNoise([PictureNoise(seed, SHAPE, CPU, seeding) for seed in (5, 6, 7)])
    alone = [SeededNoise([PictureNoise(seed, SHAPE, CPU, seeding)]) for seed in (5, 6, 7)]
    for _ in range(3):
        assert torch.equal(together.draw(), torch.cat([noise.draw() for noise in alone]))
    for ends in ((9.0, 4.0), (4.0, 0.5)):
        apart = torch.cat([noise.brownian(*ends, span=(0.03, 14.6)) for noise in alone])
        assert torch.equal(together.brownian(*ends, span=(0.03, 14.6)), apart)


def test_without_a_device_of_its_own_the_gpu_draws_as_the_cpu() -> None:
    assert torch.equal(open_source("GPU", 3, CPU)(SHAPE), plain(3))


def test_the_second_draw_goes_on_with_the_generator_of_the_first() -> None:
    generator = torch.Generator().manual_seed(7)
    noise = PictureNoise(7, SHAPE, CPU)
    for _ in range(3):
        assert torch.equal(noise.draw(), torch.randn(SHAPE, generator=generator))


def test_a_variation_lies_between_its_two_seeds() -> None:
    low, high = first_noise(), plain(50)
    ends = [first_noise(variation_seed=50, variation_strength=share)[0] for share in (1e-9, 0.5, 1.0)]
    assert torch.allclose(ends[0], low[0], atol=1e-5)
    assert torch.allclose(ends[2], high, atol=1e-5)
    assert float((ends[1] - low[0]).std()) == pytest.approx(float((ends[1] - high).std()), rel=0.2)
    assert float(ends[1].std()) == pytest.approx(1, abs=0.15)


def test_with_a_variation_all_pictures_share_the_seed_and_their_second_noise_differs() -> None:
    noise = first_noise((0, 2), variation_seed=50, variation_strength=0.25)
    assert torch.equal(noise[0], slerp(plain(7), plain(50), 0.25))
    assert torch.equal(noise[1], slerp(plain(7), plain(52), 0.25))


def test_a_variation_leaves_the_later_draws_to_the_seed() -> None:
    request = Txt2Img(seed=7, width=64, height=64, seeding=Seeding(variation_seed=50, variation_strength=0.25))
    noise, without = noise_of(request, (0,), latent_shape, CPU), PictureNoise(7, SHAPE, CPU)
    noise.draw(), without.draw()
    assert torch.equal(noise.draw()[0], without.draw())


def test_going_all_of_the_way_between_equal_noises_changes_nothing() -> None:
    one = plain(3)
    assert torch.allclose(slerp(one, one, 0.3), one)
    column = torch.ones(4, 1, 8)
    assert torch.isfinite(slerp(column, plain(1, (4, 1, 8)), 0.5)).all()


@pytest.mark.parametrize("size", [(64, 64), (96, 64), (64, 128), (88, 72), (48, 40), (40, 120)])
def test_a_seed_of_another_size_stands_in_the_middle_and_fits(size: tuple[int, int]) -> None:
    small = plain(7)
    noise = first_noise(size=(max(64, size[0]), max(64, size[1])), resize_from_width=64, resize_from_height=64)[0]
    assert noise.shape == latent_shape((max(64, size[0]), max(64, size[1])))
    rows, columns = noise.shape[1:]
    top, left = (rows - 8) // 2, (columns - 8) // 2
    assert torch.equal(noise[:, top : top + 8, left : left + 8], small)


def test_of_a_larger_size_the_middle_is_taken() -> None:
    large = plain(7, (4, 12, 11))
    result = paste_into_middle(large, torch.zeros(SHAPE))
    assert torch.equal(result[:, :, :7], large[:, 2:10, 2:9])
    assert torch.equal(result[:, :, 7:], torch.zeros(4, 8, 1))


def test_a_seed_of_half_a_size_is_no_other_size() -> None:
    assert torch.equal(first_noise(resize_from_width=128), first_noise())


def test_the_eta_seed_delta_changes_all_noise_but_the_first() -> None:
    noise, shifted = PictureNoise(7, SHAPE, CPU), PictureNoise(7, SHAPE, CPU, Seeding(eta_seed_delta=31337))
    assert torch.equal(noise.draw(), shifted.draw())
    assert torch.equal(shifted.draw(), plain(7 + 31337))


# torchsde 0.2.6: BrownianTree(0.0291675, torch.zeros(3), 14.614642, entropy=7), in this order
KNOWN_CHANGES = {
    (0.029168, 14.614642): [-7.720947, 9.416348, -0.201166],
    (1.0, 2.5): [-1.046519, 2.36255, 0.766129],
    (0.05, 0.051): [0.041616, -0.013094, 0.018186],
    (7.25, 14.0): [-4.06543, 3.000238, -2.623244],
}


def draw(seed: int) -> Tensor:
    return plain(seed, (3,))


def test_the_brownian_motion_is_the_one_that_torchsde_draws() -> None:
    for (start, end), change in KNOWN_CHANGES.items():
        tree = BrownianTree(0.0291675, 14.614642, 7, draw)
        assert tree.change(start, end).tolist() == pytest.approx(change, abs=2e-6)


def test_the_parts_of_a_brownian_motion_make_the_whole_in_any_order() -> None:
    tree = BrownianTree(0.1, 10.0, 3, draw)
    parts = tree.change(2.0, 5.0) + tree.change(0.1, 2.0) + tree.change(5.0, 10.0)
    assert torch.allclose(parts, tree.change(0.1, 10.0), atol=1e-5)
    assert torch.equal(tree.change(4.0, 4.0), torch.zeros(3))
    assert torch.equal(tree.change(0.0, 20.0), tree.change(0.1, 10.0))


def test_a_brownian_motion_spreads_as_time_goes() -> None:
    def big(seed: int) -> Tensor:
        return plain(seed, (20_000,))

    tree = BrownianTree(0.0, 4.0, 1, big)
    for start, end in ((0.0, 4.0), (0.5, 1.5), (3.999, 4.0)):
        assert float(tree.change(start, end).std()) == pytest.approx((end - start) ** 0.5, rel=0.03)
