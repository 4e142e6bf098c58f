"""Prompts of any length through a CLIP text encoder."""

from pathlib import Path

import torch
from torch import Tensor
from transformers import CLIPTextModel, CLIPTokenizer

WINDOW = 75
"""Tokens that fit between the start and the end token of one pass."""

VOCABULARY = 49408
START, END = 49406, 49407
"""Ids of the two special tokens."""
_FOLDER = Path(__file__).parent / "clip"


def load_tokenizer() -> CLIPTokenizer:
    """CLIP's tokenizer, from the vocabulary bundled here; no network."""
    tokenizer = CLIPTokenizer(
        vocab=str(_FOLDER / "vocab.json"),
        merges=str(_FOLDER / "merges.txt"),
        model_max_length=77,
    )
    assert len(tokenizer) == VOCABULARY, "the bundled CLIP vocabulary is not whole"
    return tokenizer


class ClipEncoder:
    """Turns prompts into the embeddings that a UNet attends to."""

    def __init__(self, tokenizer: CLIPTokenizer, model: CLIPTextModel) -> None:
        self.tokenizer = tokenizer
        self.model = model

    def windows(self, prompt: str) -> list[list[int]]:
        """Token ids in passes of 77: start, up to 75 tokens, then end tokens. An empty prompt has one pass too."""
        tokens: list[int] = self.tokenizer(prompt, add_special_tokens=False, truncation=False, verbose=False)[
            "input_ids"
        ]  # type: ignore[assignment]
        parts = [tokens[first : first + WINDOW] for first in range(0, len(tokens), WINDOW)] or [[]]
        return [[START, *part, *[END] * (WINDOW + 1 - len(part))] for part in parts]

    def embed(self, prompt: str) -> Tensor:
        """Embeddings [1, 77 * passes, width] of the last layer, after its norm."""
        ids = torch.tensor(self.windows(prompt), device=self.model.device)
        hidden = self.model(input_ids=ids).last_hidden_state
        return hidden.reshape(1, -1, hidden.shape[-1])
