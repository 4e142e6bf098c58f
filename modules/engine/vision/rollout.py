"""Where a TimeSformer looked: attention rolled out over its layers, in space and time.

Rollout (https://arxiv.org/abs/2005.00928) multiplies the layers' attention, each mixed half and half with the identity
for the residual connection. Only the row of the class token is wanted, so a row is carried from the last layer back to
the first instead of whole matrices. A layer attends over time first (each patch to itself in other frames), then over
space (within each frame, to the class token too, whose frames are averaged).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn


def attention_maps(encoder: Any, pixels: Tensor) -> Tensor:
    """[frames, rows, columns], the largest value 1, for one clip [1, frames, 3, height, width]."""
    layers = encoder.encoder.layer
    with _heard([part for layer in layers for part in (layer.temporal_attention, layer.attention)]) as said:
        encoder(pixels)
    pairs = [(said[2 * index], said[2 * index + 1]) for index in range(len(layers))]
    patch = encoder.config.patch_size
    patches = rolled_out(pairs)
    rows, columns = pixels.shape[3] // patch, pixels.shape[4] // patch
    return (patches / patches.max().clamp(min=1e-12)).reshape(len(patches), rows, columns)


def rolled_out(layers: list[tuple[Tensor, Tensor]]) -> Tensor:
    """How much each patch of each frame [frames, patches] went into the class token.

    A layer is (over time [patches, frames, frames], over space [frames, 1 + patches, 1 + patches]), means over heads.
    """
    patches, frames = layers[0][0].shape[:2]
    token = torch.ones((), device=layers[0][0].device)
    row = torch.zeros(frames, patches, device=layers[0][0].device)
    for time, space in reversed(layers):
        to_token = token * space[:, 0, 0].mean() + (row * space[:, 1:, 0]).sum()
        to_patches = token * space[:, 0, 1:] / frames + torch.einsum("tp,tpq->tq", row, space[:, 1:, 1:])
        token, row = (token + to_token) / 2, (row + to_patches) / 2
        row = (row + torch.einsum("tp,pts->sp", row, time)) / 2
    return row


@contextmanager
def _heard(parts: list[Any]) -> Iterator[list[Tensor]]:
    """While it lasts, the attention of these parts is noted, in their order, as means over heads."""
    said: list[Tensor] = []

    def note(_module: nn.Module, _inputs: object, output: Tensor) -> None:
        said.append(output.float().mean(1))

    hooks = [part.attention.attn_drop.register_forward_hook(note) for part in parts]
    try:
        yield said
    finally:
        for hook in hooks:
            hook.remove()
