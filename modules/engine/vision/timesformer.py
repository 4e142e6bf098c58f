"""TimeSformer (https://arxiv.org/abs/2102.05095): frames of a video in, labels or a sentence out.

Through transformers, from folders as the Hugging Face hub stores them. The folder's own preprocessor_config.json says
how frames are prepared.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from transformers import (
    AutoTokenizer,
    TimesformerForVideoClassification,
    VideoMAEImageProcessorPil,
    VisionEncoderDecoderModel,
)

from modules.catalog.describers import Describer
from modules.engine.devices import Hardware
from modules.engine.vision.hub import loaded, while_telling
from modules.engine.vision.rollout import attention_maps
from modules.schema.captioning import Label, Wording
from modules.schema.errors import UnusableFile


class TimeSformer:
    """A model in memory. Frames are prepared one by one, so that no large picture has to be kept."""

    def __init__(self, entry: Describer, hardware: Hardware) -> None:
        """Raises UnusableFile with a sentence when its files do not fit together."""
        self.entry, self.hardware = entry, hardware
        self._tokenizer: Any = None
        self._processor: Any = loaded(entry, VideoMAEImageProcessorPil)
        if entry.usable() == "sentences":
            self.model: Any = loaded(entry, VisionEncoderDecoderModel, hardware)
            self._tokenizer = loaded(entry, AutoTokenizer)
        else:
            self.model = loaded(entry, TimesformerForVideoClassification, hardware)

    @property
    def encoder(self) -> Any:
        """The TimeSformer itself."""
        return self.model.timesformer if self._tokenizer is None else self.model.encoder

    def prepare(self, image: Image.Image) -> Tensor:
        """A frame as the model sees it: [3, height, width], normalised."""
        prepared = self._processor([image], return_tensors="np")["pixel_values"]
        return torch.from_numpy(np.asarray(prepared, np.float32)[0, 0])

    def visible(self, prepared: Tensor) -> Image.Image:
        """The same frame for people: what prepare() did to the colours is undone."""
        if self._processor.do_normalize:
            mean, spread = (torch.tensor(values)[:, None, None] for values in self._colours())
            prepared = prepared * spread + mean
        factor = 1 / self._processor.rescale_factor if self._processor.do_rescale else 1.0
        values = (prepared * factor).round().clamp(0, 255).byte()
        return Image.fromarray(values.permute(1, 2, 0).numpy())

    def probabilities(self, frames: Tensor) -> Tensor:
        """How likely each label is, for frames [count, 3, height, width]."""
        with self._at_work(frames) as pixels:
            return self.model(pixel_values=pixels).logits[0].float().softmax(-1).cpu()

    def labels(self, frames: Tensor, top: int) -> tuple[Label, ...]:
        """The likeliest labels."""
        chances, places = self.probabilities(frames).sort(descending=True, stable=True)
        names = self.model.config.id2label
        pairs = zip(chances[:top].tolist(), places[:top].tolist(), strict=True)
        return tuple(Label(text=str(names[place]), probability=round(chance, 6)) for chance, place in pairs)

    def sentence(self, frames: Tensor, wording: Wording, tell: Callable[[], None]) -> str:
        """What it writes about the frames. `tell` is called for each token, and may raise to end it."""
        with self._at_work(frames) as pixels:
            written = self.model.generate(
                pixel_values=pixels,
                num_beams=wording.beams,
                min_length=wording.shortest,
                max_length=wording.longest,
                do_sample=False,
                **while_telling(tell),
            )
        return " ".join(str(self._tokenizer.decode(written[0], skip_special_tokens=True)).split())

    @property
    def writes(self) -> bool:
        """Whether it writes sentences instead of choosing labels."""
        return self._tokenizer is not None

    def attention(self, frames: Tensor) -> Tensor:
        """Where it looked: [frames, rows, columns], the largest 1. Raises UnusableFile where it cannot be told."""
        if self.encoder.config.attention_type != "divided_space_time":
            raise UnusableFile(
                f"{self.entry.name} does not look at space and time one after the other; where it looked cannot be"
                " shown. Turn that off."
            )
        with self._at_work(frames) as pixels:
            return attention_maps(self.encoder, pixels).cpu()

    @contextmanager
    def _at_work(self, frames: Tensor) -> Iterator[Tensor]:
        """The frames as a batch on the device, the model there too, set to as many frames.

        Raises UnusableFile when the folder prepares other frames than its model sees.
        """
        side = self.encoder.config.image_size
        if frames.shape[2:] != (side, side):
            raise UnusableFile(
                f"{self.entry.name}: Its preprocessor_config.json makes frames of {frames.shape[3]} x {frames.shape[2]}"
                f" pixels, but the model sees {side} x {side}. Download both files of the same model."
            )
        with self.hardware.hosting(self.model), torch.inference_mode():
            self.encoder.config.num_frames = len(frames)
            yield frames[None].to(self.hardware.device, self.model.dtype)

    def _colours(self) -> tuple[Sequence[float], Sequence[float]]:
        return self._processor.image_mean, self._processor.image_std
