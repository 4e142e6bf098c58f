"""Normal noise as CUDA's generator draws it: Philox 4x32-10 (https://doi.org/10.1145/2063384.2063405), Box-Muller."""

import numpy as np
import torch
from torch import Tensor

FACTORS = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
WEYL = np.uint32(0x9E3779B9), np.uint32(0xBB67AE85)
ROUNDS = 10
UNIT = np.float32(2.3283064e-10)
"""2 to the power of -32."""
LOW, HALF = np.uint64(0xFFFFFFFF), np.uint64(32)


def philox_normal(seed: int, draw: int, shape: tuple[int, ...]) -> Tensor:
    """The numbers of draw number `draw` of a generator of that seed."""
    counter = np.zeros((4, int(np.prod(shape))), dtype=np.uint32)
    counter[0], counter[2] = draw, np.arange(counter.shape[1])
    keys = [np.uint32(seed & 0xFFFFFFFF), np.uint32(seed >> 32)]
    with np.errstate(over="ignore"):
        for _ in range(ROUNDS):
            first, second = counter[0] * FACTORS[0], counter[2] * FACTORS[1]
            counter = np.stack(
                [
                    (second >> HALF).astype(np.uint32) ^ counter[1] ^ keys[0],
                    (second & LOW).astype(np.uint32),
                    (first >> HALF).astype(np.uint32) ^ counter[3] ^ keys[1],
                    (first & LOW).astype(np.uint32),
                ]
            )
            keys = [np.uint32(key + step) for key, step in zip(keys, WEYL, strict=True)]
    radius = np.sqrt(-2 * np.log(counter[0] * UNIT + UNIT / 2))
    angle = (counter[1] * UNIT + UNIT / 2) * np.float32(2 * np.pi)
    return torch.from_numpy((radius * np.sin(angle)).astype(np.float32).reshape(shape))
