"""Words for pictures: CLIP (https://arxiv.org/abs/2103.00020) chooses from lists, BLIP (https://arxiv.org/abs/2201.12086)
writes a sentence."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import normalize
from transformers import (
    AutoTokenizer,
    BlipForConditionalGeneration,
    BlipImageProcessorPil,
    CLIPImageProcessorPil,
    CLIPModel,
)

from modules.catalog.describers import Describer
from modules.engine.devices import Hardware
from modules.engine.vision.hub import loaded, while_telling
from modules.schema.captioning import Label, Wording

AT_ONCE = 64
"""Words that go through the text encoder together."""


class Clip:
    """A CLIP in memory, with the words that it has read."""

    def __init__(self, entry: Describer, hardware: Hardware) -> None:
        """Raises UnusableFile with a sentence when its files do not fit together."""
        self.entry, self._hardware = entry, hardware
        self._model: Any = loaded(entry, CLIPModel, hardware)
        self._processor: Any = loaded(entry, CLIPImageProcessorPil)
        self._tokenizer: Any = loaded(entry, AutoTokenizer)
        self._read: dict[tuple[str, ...], Tensor] = {}

    def choose(self, image: Image.Image, words: Sequence[str]) -> list[Label]:
        """The words by how well they fit the picture, likeliest first."""
        vectors = self.vectors(words)
        with self._hardware.hosting(self._model), torch.inference_mode():
            pixels = self._processor(image, return_tensors="pt")["pixel_values"]
            seen = self._model.get_image_features(pixel_values=pixels.to(self._model.device, self._model.dtype))
            scale = self._model.logit_scale.exp().float().cpu()
        fit = normalize(seen.pooler_output.float().cpu(), dim=-1) @ vectors.T
        chances, places = (fit[0] * scale).softmax(-1).sort(descending=True, stable=True)
        return [
            Label(text=str(words[int(place)]), probability=round(chance, 6))
            for chance, place in zip(chances.tolist(), places.tolist(), strict=True)
        ]

    def vectors(self, words: Sequence[str], tell: Callable[[int, int], None] = lambda _done, _of: None) -> Tensor:
        """Where the words are: [words, width] of length 1. `tell` hears how many of how many are done."""
        asked = tuple(words)
        if asked not in self._read:
            parts: list[Tensor] = []
            with self._hardware.hosting(self._model), torch.inference_mode():
                for first in range(0, len(asked), AT_ONCE):
                    tokens = self._tokenizer(
                        list(asked[first : first + AT_ONCE]), padding=True, truncation=True, return_tensors="pt"
                    ).to(self._model.device)
                    features = self._model.get_text_features(
                        input_ids=tokens["input_ids"], attention_mask=tokens["attention_mask"]
                    )
                    parts.append(normalize(features.pooler_output.float().cpu(), dim=-1))
                    tell(min(first + AT_ONCE, len(asked)), len(asked))
            self._read[asked] = torch.cat(parts)
        return self._read[asked]


class Blip:
    """A BLIP in memory."""

    def __init__(self, entry: Describer, hardware: Hardware) -> None:
        """Raises UnusableFile with a sentence when its files do not fit together."""
        self.entry, self._hardware = entry, hardware
        self._model: Any = loaded(entry, BlipForConditionalGeneration, hardware)
        self._processor: Any = loaded(entry, BlipImageProcessorPil)
        self._tokenizer: Any = loaded(entry, AutoTokenizer)

    def sentence(self, image: Image.Image, wording: Wording, tell: Callable[[], None]) -> str:
        """What it writes about the picture. `tell` is called for each token, and may raise to end it."""
        with self._hardware.hosting(self._model), torch.inference_mode():
            pixels = self._processor(image, return_tensors="pt")["pixel_values"]
            written = self._model.generate(
                pixel_values=pixels.to(self._model.device, self._model.dtype),
                num_beams=wording.beams,
                min_length=wording.shortest,
                max_length=wording.longest,
                do_sample=False,
                **while_telling(tell),
            )
        return " ".join(str(self._tokenizer.decode(written[0], skip_special_tokens=True)).split())
