"""Chunks of tokens through a CLIP text encoder."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import zip_longest

import torch
from torch import Tensor, nn
from transformers import CLIPTextModel

from modules.prompts.chunks import EMPTY, Chunk
from modules.schema.requests import Reading

Vectors = Callable[[str], Tensor]
"""An embedding's name -> its vectors [count, width]."""


class ClipEncoder:
    """Turns prompts into the embeddings that a UNet attends to."""

    def __init__(self, model: CLIPTextModel) -> None:
        self.model = model

    def encode(self, lines: Sequence[Sequence[Chunk]], reading: Reading, vectors: Vectors) -> Tensor:
        """Embeddings [lines, 77 * chunks, width] of the layer that `reading` chooses, after the last layer's norm.

        Shorter lines are filled up with empty chunks. Lines are stages of one schedule: emphasis "Original" keeps the
        mean over all of them.
        """
        known: dict[Chunk, Tensor] = {}
        for chunk in {*(chunk for line in lines for chunk in line), EMPTY}:
            known[chunk] = self._hidden(chunk, reading.clip_skip, vectors)
        columns = zip_longest(*lines, fillvalue=EMPTY)
        return torch.cat([self._weighed(column, known, reading.emphasis) for column in columns], dim=1)

    def _hidden(self, chunk: Chunk, clip_skip: int, vectors: Vectors) -> Tensor:
        """[77, width]. Each chunk goes through alone, so that no other one changes its last digits."""
        ids = torch.tensor([chunk.tokens], device=self.model.device)
        with _inserted(self.model.embeddings.token_embedding, chunk, vectors):
            output = self.model(input_ids=ids, output_hidden_states=clip_skip > 1)
        if clip_skip == 1:
            return output.last_hidden_state[0]
        return self.model.final_layer_norm(output.hidden_states[-clip_skip])[0]

    def _weighed(self, column: Sequence[Chunk], known: dict[Chunk, Tensor], emphasis: str) -> Tensor:
        """[lines, 77, width]: one chunk of each line, each token's embedding times its weight."""
        hidden = torch.stack([known[chunk] for chunk in column])
        weights = torch.tensor([chunk.weights for chunk in column], device=hidden.device)
        if emphasis not in ("Original", "No norm") or bool((weights == 1).all()):
            return hidden
        exact = hidden.float()
        weighed = exact * weights[..., None]
        if emphasis == "Original":
            weighed = weighed * (exact.mean() / weighed.mean())
        return weighed.to(hidden.dtype)


@contextmanager
def _inserted(tokens: nn.Module, chunk: Chunk, vectors: Vectors) -> Iterator[None]:
    """While it lasts, embeddings stand in place of the tokens that wait for them."""

    def insert(_module: nn.Module, _inputs: object, output: Tensor) -> Tensor:
        output = output.clone()
        for place in chunk.inserts:
            first = place.start + 1  # after the start token
            fitting = vectors(place.name)[: output.shape[1] - 1 - first]
            output[0, first : first + len(fitting)] = fitting.to(output)
        return output

    hook = tokens.register_forward_hook(insert) if chunk.inserts else None
    try:
        yield
    finally:
        if hook is not None:
            hook.remove()
