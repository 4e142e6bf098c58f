"""Prompts of any length through a CLIP text encoder."""

from pathlib import Path

import torch
from torch import Tensor
from transformers import CLIPTextModel, CLIPTokenizer

WINDOW = 75
"""Tokens that fit between the start and the end token of one pass."""

VOCABULARY = 49408
_FOLDER = Path(__file__).parent / "clip"


def load_tokenizer() -> CLIPTokenizer:
    """CLIP's tokenizer, from the vocabulary bundled here; no network."""
    tokenizer = CLIPTokenizer(
        vocab=str(_FOLDER / "vocab.json"),
        merges=str(_FOLDER / "merges.txt"),
        unk_token="<|endoftext|>",
        bos_token="<|startoftext|>",
        eos_token="<|endoftext|>",
        pad_token="<|endoftext|>",
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
        tokens = self.tokenizer(prompt, add_special_tokens=False, truncation=False, verbose=False)["input_ids"]
        start, end = self.tokenizer.bos_token_id, self.tokenizer.eos_token_id
        parts = [tokens[first : first + WINDOW] for first in range(0, len(tokens), WINDOW)] or [[]]
        return [[start, *part, *[end] * (WINDOW + 1 - len(part))] for part in parts]

    def embed(self, prompt: str) -> Tensor:
        """Embeddings [1, 77 * passes, width] of the last layer, after its norm."""
        ids = torch.tensor(self.windows(prompt), device=self.model.device)
        hidden = self.model(input_ids=ids).last_hidden_state
        return hidden.reshape(1, -1, hidden.shape[-1])
