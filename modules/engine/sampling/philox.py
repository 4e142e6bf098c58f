"""The random numbers that CUDA cards draw, computed anywhere.

Philox4x32-10 of Salmon et al. 2011 (https://doi.org/10.1145/2063384.2063405), made normal by Box and Muller's transform
as CUDA's library does it.
"""

import math

import numpy as np
from numpy.typing import NDArray

ROUNDS = 10
FACTORS = np.array([0xD2511F53, 0xCD9E8D57], dtype=np.uint64)
KEY_STEPS = np.array([0x9E3779B9, 0xBB67AE85], dtype=np.uint64)
LOW = np.uint64(0xFFFFFFFF)
HALF = np.uint64(32)

Words = NDArray[np.uint64]
"""32-bit words, in 64 bits so that they can be multiplied."""


class Philox:
    """Normal numbers as torch.randn draws them on a CUDA device after manual_seed(seed).

    Each call goes on where the one before it ended. The same holds as long as a card has a thread for each number
    (some 200,000 on a current one).
    """

    def __init__(self, seed: int) -> None:
        self._key = np.array([seed & 0xFFFFFFFF, seed >> 32 & 0xFFFFFFFF], dtype=np.uint64)
        self._calls = 0

    def randn(self, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """Unit normal numbers; the counter holds the number of this call and each number's place."""
        count = math.prod(shape)
        counter = np.zeros((4, count), dtype=np.uint64)
        counter[0] = self._calls
        counter[2] = np.arange(count, dtype=np.uint64)
        self._calls += 1
        words = philox4x32(counter, self._key)
        return _normal(words[0], words[1]).reshape(shape)


def philox4x32(counter: Words, key: Words) -> Words:
    """Ten rounds over counters [4, n] with a key of two words; four random words for each counter."""
    first, second, third, fourth = counter
    for _ in range(ROUNDS):
        left, right = first * FACTORS[0], third * FACTORS[1]
        first, second, third, fourth = (
            right >> HALF ^ second ^ key[0],
            right & LOW,
            left >> HALF ^ fourth ^ key[1],
            left & LOW,
        )
        key = key + KEY_STEPS & LOW
    return np.stack([first, second, third, fourth])


def _normal(first: Words, second: Words) -> NDArray[np.float32]:
    """One of Box and Muller's two numbers: a radius from one word, an angle from the other.

    Rounded to single precision at the end only; a card rounds on the way, and differs in the last digit.
    """
    radius = np.sqrt(-2.0 * np.log((first + 0.5) / 2.0**32))
    return (radius * np.sin((second + 0.5) * (2 * math.pi / 2.0**32))).astype(np.float32)
