"""Classifier-free guidance over a UNet (https://arxiv.org/abs/2207.12598), by one or several prompts.

Several are composed as in https://arxiv.org/abs/2206.01714: each one's difference to the negative prompt is added, with
its own weight.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import torch
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from torch import Tensor


@dataclass(frozen=True)
class Strand:
    """One prompt over a walk: how strongly it counts, and (last call of the model, embeddings [1, tokens, width])."""

    weight: float
    stages: tuple[tuple[int, Tensor], ...]

    def at(self, call: int) -> Tensor:
        """What counts at a call of the model, the first one being 0.

        A stage that ends with call n, counted from 1, is still taken at index n: as AUTOMATIC1111's program has it,
        whose pictures are to come out the same.
        """
        return next((embeddings for until, embeddings in self.stages if call <= until), self.stages[-1][1])


@dataclass(frozen=True)
class Conditioning:
    """What to go towards and what to go away from, for one picture."""

    positive: tuple[Strand, ...]
    negative: Strand
    inversions: tuple[str, ...] = ()
    """The embeddings from models/embeddings/ that have a part in it."""

    def towards(self, call: int) -> list[Tensor]:
        """The prompts' embeddings at a call, all of the same length: the last vector of shorter ones is repeated."""
        found = [strand.at(call) for strand in self.positive]
        longest = max(text.shape[1] for text in found)
        return [torch.cat([text, text[:, -1:].expand(-1, longest - text.shape[1], -1)], dim=1) for text in found]


Pairs: TypeAlias = Sequence[tuple[Tensor, Conditioning]]
"""Each picture with its text."""


class GuidedDenoiser:
    """(latents, sigma) -> clean latents, in float32; the UNet sees what it was trained on.

    Latents come as clean + sigma * noise; the UNet wants unit variance and a timestep (Karras et al. 2022, table 1).
    `texts` has one entry a picture. Made for one walk: how often it was called tells which stage of a prompt counts.
    `one_by_one` gives the UNet one picture of a batch at a time.
    """

    def __init__(
        self,
        unet: UNet2DConditionModel,
        texts: Sequence[Conditioning],
        guidance_scale: float,
        timestep_of: Callable[[float], float],
        prediction_type: str,
        one_by_one: bool = False,
    ) -> None:
        self._unet, self._texts, self._scale = unet, texts, guidance_scale
        self._timestep_of, self._prediction_type = timestep_of, prediction_type
        self._one_by_one = one_by_one
        self._calls = 0

    def __call__(self, latents: Tensor, sigma: float, timestep: float | None = None) -> Tensor:
        """The clean latents that the model sees in `latents` [batch, channels, h, w] at the level `sigma`.

        `timestep` is what the model is told, where that is not simply the one of `sigma`.
        """
        timestep = self._timestep_of(sigma) if timestep is None else timestep
        return self._clean(latents, sigma, self._asked(latents, sigma, lambda pairs: self._guided(pairs, timestep)))

    def apart(
        self, latents: Tensor, sigma: float, guidance: float, timestep: float | None = None
    ) -> tuple[Tensor, Tensor]:
        """The clean latents with `guidance` times the guidance scale, and those without the prompt."""
        timestep = self._timestep_of(sigma) if timestep is None else timestep
        both = self._asked(latents, sigma, lambda pairs: self._halves(pairs, timestep, guidance))
        guided, away = both.unbind(dim=1)
        return self._clean(latents, sigma, guided), self._clean(latents, sigma, away)

    def alone(self, index: int) -> "GuidedDenoiser":
        """The same for picture `index` of the batch, at the beginning of a walk of its own."""
        texts = self._texts[index : index + 1]
        return GuidedDenoiser(
            self._unet, texts, self._scale, self._timestep_of, self._prediction_type, self._one_by_one
        )

    def _asked(self, latents: Tensor, sigma: float, ask: Callable[[Pairs], Tensor]) -> Tensor:
        """The model's output for the batch, or for its pictures one by one."""
        scaled = (latents / (sigma**2 + 1) ** 0.5).to(self._unet.dtype)
        pairs = list(zip(scaled.split(1), self._texts, strict=True))
        output = torch.cat([ask([pair]) for pair in pairs]) if self._one_by_one else ask(pairs)
        self._calls += 1
        return output

    def _clean(self, latents: Tensor, sigma: float, output: Tensor) -> Tensor:
        if self._prediction_type == "v_prediction":
            return latents / (sigma**2 + 1) - output * (sigma / (sigma**2 + 1) ** 0.5)
        return latents - sigma * output

    def _guided(self, pairs: Pairs, timestep: float) -> Tensor:
        questions: list[tuple[Tensor, Tensor]] = []
        for picture, text in pairs:
            questions += [(picture, towards) for towards in text.towards(self._calls)]
            if self._needs_negative(text):
                questions.append((picture, text.negative.at(self._calls)))
        answers = iter(self._predict(questions, timestep))
        return torch.cat([self._composed(text, answers) for _, text in pairs])

    def _halves(self, pairs: Pairs, timestep: float, guidance: float) -> Tensor:
        """[batch, 2, ...]: with the prompts, at `guidance` times the scale, and with the negative one only."""
        questions: list[tuple[Tensor, Tensor]] = []
        for picture, text in pairs:
            questions += [(picture, each) for each in (*text.towards(self._calls), text.negative.at(self._calls))]
        answers = iter(self._predict(questions, timestep))
        halves: list[Tensor] = []
        for _, text in pairs:
            weighed = [(strand.weight * self._scale * guidance, next(answers)) for strand in text.positive]
            away = next(answers)
            halves.append(torch.stack([_towards_all(weighed, away), away], dim=1))
        return torch.cat(halves)

    def _composed(self, text: Conditioning, answers: Iterator[Tensor]) -> Tensor:
        """One picture's answers, brought together."""
        weighed = [(strand.weight * self._scale, next(answers)) for strand in text.positive]
        if self._needs_negative(text):
            return _towards_all(weighed, next(answers))
        return sum((weight * towards for weight, towards in weighed[1:]), weighed[0][0] * weighed[0][1])

    def _needs_negative(self, text: Conditioning) -> bool:
        """Not when it would count nothing, as with one prompt at a scale of 1: that costs half."""
        return sum(strand.weight for strand in text.positive) * self._scale != 1

    def _predict(self, questions: Sequence[tuple[Tensor, Tensor]], timestep: float) -> list[Tensor]:
        """The UNet's answer to each (picture, text); texts of the same length go through it together."""
        answers: dict[int, Tensor] = {}
        for length in dict.fromkeys(text.shape[1] for _, text in questions):
            places = [place for place, (_, text) in enumerate(questions) if text.shape[1] == length]
            pictures, texts = (torch.cat(parts) for parts in zip(*(questions[place] for place in places), strict=True))
            times = torch.full((len(places),), timestep, dtype=torch.float32, device=pictures.device)
            output = self._unet(pictures, times, encoder_hidden_states=texts, return_dict=False)[0].float()
            answers |= dict(zip(places, output.split(1), strict=True))
        return [answers[place] for place in range(len(questions))]


def _towards_all(weighed: Sequence[tuple[float, Tensor]], away: Tensor) -> Tensor:
    return away + sum((weight * (towards - away) for weight, towards in weighed), torch.zeros_like(away))
