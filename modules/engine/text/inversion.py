"""Textual inversion (https://arxiv.org/abs/2208.01618): words that were learned, as vectors in models/embeddings/."""

from collections.abc import Sequence

from safetensors import SafetensorError, safe_open
from torch import Tensor

from modules.catalog.embeddings import Embedding
from modules.prompts.chunks import Names
from modules.schema.errors import UnusableFile


class Inversions:
    """The embeddings that fit a text encoder of `width`. Their vectors are read when a prompt names them."""

    def __init__(self, embeddings: Sequence[Embedding], width: int) -> None:
        self._files = {entry.name: entry for entry in embeddings if not entry.problem and entry.width == width}
        self.names = Names({name: entry.vectors for name, entry in self._files.items()})
        self._read: dict[str, Tensor] = {}

    def vectors(self, name: str) -> Tensor:
        """[count, width]. Raises UnusableFile when the file is gone."""
        if name not in self._read:
            entry = self._files[name]
            try:
                with safe_open(entry.path, framework="pt", device="cpu") as file:
                    self._read[name] = file.get_tensor(entry.tensor).reshape(entry.vectors, entry.width)
            except (OSError, SafetensorError) as error:
                raise UnusableFile(
                    f"The embedding {name} could not be read ({error}). Was it moved or replaced? Try again."
                ) from None
        return self._read[name]
