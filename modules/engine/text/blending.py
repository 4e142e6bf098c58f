"""What guides a walk between two keyframes' words: embeddings that go over from one to the other."""

from collections.abc import Iterator
from itertools import zip_longest

import torch
from torch import Tensor

from modules.engine.sampling.arcs import along_arc
from modules.engine.sampling.guidance import Conditioning, Strand
from modules.schema.animation import TextPath


def blended(low: Conditioning, high: Conditioning, share: float, path: TextPath) -> Conditioning:
    """The words at a share of the way. Schedules go over stage by stage; a prompt that only one side has fades.

    All embeddings are of one length (see lengthened()). Along an arc each token's vector keeps its length.
    """
    if share in (0.0, 1.0):
        return high if share else low
    pairs = zip_longest(low.positive, high.positive)
    positive = tuple(_between(one or _silent(other), other or _silent(one), share, path) for one, other in pairs)
    inversions = tuple(sorted({*low.inversions, *high.inversions}))
    return Conditioning(positive, _between(low.negative, high.negative, share, path), inversions)


def guided(text: Conditioning, scale: float) -> Conditioning:
    """The same with its guidance scale in its weights, so that the frames of a batch may each have their own."""
    positive = tuple(Strand(strand.weight * scale, strand.stages) for strand in text.positive)
    return Conditioning(positive, text.negative, text.inversions)


def longest(text: Conditioning) -> tuple[int, int]:
    """How many tokens the longest stages have, of the prompt and of the negative prompt."""
    return max(map(_length, text.positive)), _length(text.negative)


def lengthened(text: Conditioning, lengths: tuple[int, int], empty: Tensor) -> Conditioning:
    """The same filled up with the embeddings of nothing [1, 77, width]."""
    positive = tuple(_filled_up(strand, lengths[0], empty) for strand in text.positive)
    return Conditioning(positive, _filled_up(text.negative, lengths[1], empty), text.inversions)


def _between(low: Strand, high: Strand, share: float, path: TextPath) -> Strand:
    return Strand(low.weight * (1 - share) + high.weight * share, tuple(_stages(low, high, share, path)))


def _stages(low: Strand, high: Strand, share: float, path: TextPath) -> Iterator[tuple[int, Tensor]]:
    """A stage for each of either side's: where one of them changes, what is between changes too."""
    for until in sorted({until for strand in (low, high) for until, _ in strand.stages}):
        first, second = low.at(until), high.at(until)
        if path == "slerp":
            yield until, along_arc(first.float(), second.float(), share, dim=-1).to(first.dtype)
        else:
            yield until, torch.lerp(first.float(), second.float(), share).to(first.dtype)


def _silent(strand: Strand | None) -> Strand:
    """A prompt that counts nothing, in the place of one that is not there."""
    assert strand is not None
    return Strand(0.0, strand.stages)


def _length(strand: Strand) -> int:
    return max(embeddings.shape[1] for _, embeddings in strand.stages)


def _filled_up(strand: Strand, length: int, empty: Tensor) -> Strand:
    def fill(embeddings: Tensor) -> Tensor:
        missing = (length - embeddings.shape[1]) // empty.shape[1]
        return torch.cat([embeddings, *[empty] * missing], dim=1)

    return Strand(strand.weight, tuple((until, fill(embeddings)) for until, embeddings in strand.stages))
