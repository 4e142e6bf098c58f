"""Stable Diffusion 1.x: CLIP ViT-L text encoder, UNet on 4-channel latents, AutoencoderKL.

https://arxiv.org/abs/2112.10752; the sizes come from the checkpoint's header, the weights in the original layout.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import numpy as np
import torch
from diffusers.loaders.single_file_utils import convert_ldm_unet_checkpoint, convert_ldm_vae_checkpoint
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from PIL import Image
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel

from modules.catalog.architecture import TEXT, UNET, VAE, Architecture
from modules.catalog.embeddings import Embedding
from modules.engine.devices import Hardware
from modules.engine.sampling.guidance import Conditioning, GuidedDenoiser
from modules.engine.sampling.levels import scaled_linear_levels
from modules.engine.sampling.wrappers import SeeingUNet
from modules.engine.text.clip import ClipEncoder
from modules.engine.text.inversion import Inversions
from modules.engine.text.reading import read_prompts
from modules.engine.text.words import Tell, word_vectors
from modules.engine.vision.vae import Vae
from modules.prompts.evaluating import Timeline
from modules.prompts.tokens import END, START
from modules.schema.errors import UnusableFile
from modules.schema.media import cut
from modules.schema.requests import Reading

Weights = dict[str, Tensor]

VAE_TILE = 512
"""Pixels of a tile's side, where the VAE works in tiles."""


class StableDiffusion1:
    """A checkpoint in memory, ready for the tasks."""

    def __init__(self, architecture: Architecture, weights: Weights, hardware: Hardware) -> None:
        self.architecture, self.hardware = architecture, hardware
        self.levels = scaled_linear_levels()
        self._text = ClipEncoder(_text_encoder(architecture, weights, hardware))
        self._unet = _unet(architecture, weights, hardware)
        self.vae = Vae(_vae(architecture, weights, hardware), architecture.vae.scaling_factor, hardware)

    def embed(
        self, words: tuple[str, str], reading: Reading, timeline: Timeline, embeddings: Sequence[Embedding] = ()
    ) -> Conditioning:
        """What the UNet attends to over a walk; `words` are the prompt and the negative prompt."""
        inversions = Inversions(embeddings, self.architecture.text_encoder.width)
        with self.hardware.hosting(self._text.model):
            return read_prompts(words, reading, timeline, self._text, inversions)

    def word_vectors(self, words: Sequence[str], tell: Tell) -> Tensor:
        """Where single words are for the text encoder: [words, width] of length 1. `tell` hears how far it is."""
        with self.hardware.hosting(self._text.model):
            return word_vectors(self._text.model, words, tell)

    def denoiser(
        self, texts: Sequence[Conditioning], guidance_scale: float, seen: Tensor | None = None
    ) -> GuidedDenoiser:
        """The UNet under classifier-free guidance for a walk, with one text a picture.

        It stays on the device while in use. `seen` is what an inpainting or InstructPix2Pix checkpoint sees beside the
        noisy latents.
        """
        nn.Module.to(self._unet, self.hardware.device)
        return GuidedDenoiser(
            self._unet if seen is None else cast(UNet2DConditionModel, SeeingUNet(self._unet, seen)),
            texts,
            guidance_scale,
            self.levels.timestep_of,
            self.architecture.prediction_type,
            one_by_one=self.hardware.batches_vary,
        )

    def rest(self) -> None:
        """Called after the walk: make room for the VAE if memory is scarce."""
        if self.hardware.offload:
            nn.Module.to(self._unet, "cpu")

    def sight(self, size: tuple[int, int], image: Image.Image | None, mask: Image.Image | None = None) -> Tensor | None:
        """What the UNet sees beside the noisy latents, [1, channels, h, w]; None for an ordinary checkpoint.

        An inpainting checkpoint sees the mask and the picture without what is under it; without a picture, or without
        a mask, all is under it. An InstructPix2Pix checkpoint sees the whole picture, on the VAE's own scale.
        """
        if self.architecture.inpaints:
            if image is None or mask is None:
                image, mask = Image.new("RGB", size), Image.new("L", size, 255)
            return self._sight_around(image, cut(mask, 127))
        if self.architecture.edits and image is not None:
            return self.vae.encode([image]) / self.architecture.vae.scaling_factor
        return None

    def _sight_around(self, picture: Image.Image, mask: Image.Image) -> Tensor:
        grey = Image.new("RGB", picture.size, (127, 127, 127))
        latents = self.vae.encode([Image.composite(grey, picture, mask)])
        shades = torch.from_numpy(np.array(mask, dtype=np.float32) / 255)[None, None]
        small = nn.functional.interpolate(shades, size=latents.shape[-2:])
        return torch.cat([small.to(latents.device), latents], dim=1)

    def latent_shape(self, size: tuple[int, int]) -> tuple[int, int, int]:
        """(channels, rows, columns) of the latents for a width and height in pixels."""
        factor = self.architecture.vae.factor
        return self.architecture.vae.latent_channels, size[1] // factor, size[0] // factor


def _unet(architecture: Architecture, weights: Weights, hardware: Hardware) -> UNet2DConditionModel:
    shape = architecture.unet
    levels = len(shape.channels)
    config: dict[str, Any] = {
        "in_channels": shape.in_channels,
        "out_channels": shape.out_channels,
        "block_out_channels": shape.channels,
        "layers_per_block": shape.layers_per_block,
        "down_block_types": tuple("CrossAttnDownBlock2D" if has else "DownBlock2D" for has in shape.attention),
        "up_block_types": tuple("CrossAttnUpBlock2D" if has else "UpBlock2D" for has in shape.attention[::-1]),
        "cross_attention_dim": shape.context_width,
        "attention_head_dim": shape.attention_heads,  # diffusers' name for the number of heads
        "norm_num_groups": shape.norm_num_groups,
    }
    assert len(shape.attention) == levels
    own = {name: tensor for name, tensor in weights.items() if name.startswith(UNET)}
    with torch.device("meta"):
        model = UNet2DConditionModel(**config)
    _fill(model, _converted(convert_ldm_unet_checkpoint, own, config, "UNet"), hardware.dtype, hardware, "UNet")
    if hardware.attention == "xformers":
        model.enable_xformers_memory_efficient_attention()
    return model


def _vae(architecture: Architecture, weights: Weights, hardware: Hardware) -> AutoencoderKL:
    shape = architecture.vae
    levels = len(shape.channels)
    config: dict[str, Any] = {
        "block_out_channels": shape.channels,
        "layers_per_block": shape.layers_per_block,
        "latent_channels": shape.latent_channels,
        "norm_num_groups": shape.norm_num_groups,
        "down_block_types": ("DownEncoderBlock2D",) * levels,
        "up_block_types": ("UpDecoderBlock2D",) * levels,
        "scaling_factor": shape.scaling_factor,
        "sample_size": VAE_TILE,
    }
    own = {name: tensor for name, tensor in weights.items() if name.startswith(VAE)}
    with torch.device("meta"):
        model = AutoencoderKL(**config)
    dtype = hardware.dtype if hardware.device.type == "cuda" else torch.float32
    _fill(model, _converted(convert_ldm_vae_checkpoint, own, config, "VAE"), dtype, hardware, "VAE")
    return model


def _text_encoder(architecture: Architecture, weights: Weights, hardware: Hardware) -> CLIPTextModel:
    shape = architecture.text_encoder
    config = CLIPTextConfig(
        vocab_size=shape.vocabulary,
        hidden_size=shape.width,
        intermediate_size=shape.intermediate,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.attention_heads,
        max_position_embeddings=shape.positions,
        hidden_act=shape.hidden_act,
        bos_token_id=START,
        eos_token_id=END,
        pad_token_id=END,
    )
    own = {name.removeprefix(TEXT): tensor for name, tensor in weights.items() if name.startswith(TEXT)}
    own.pop("embeddings.position_ids", None)
    with torch.device("meta"):
        model = CLIPTextModel(config)
    model.embeddings.register_buffer("position_ids", torch.arange(shape.positions)[None], persistent=False)
    _fill(model, own, hardware.dtype, hardware, "text encoder")
    return model


def _converted(
    convert: Callable[[Weights, dict[str, Any]], dict[str, Tensor]], weights: Weights, config: dict[str, Any], part: str
) -> dict[str, Tensor]:
    """The weights under diffusers' names. Raises UnusableFile when one is missing that the conversion itself needs."""
    try:
        return convert(weights, config)
    except (KeyError, AttributeError) as error:
        raise UnusableFile(
            f"Weights of the {part} are missing ({error}): the file is incomplete. Look for another version of it."
        ) from None


def _fill(model: nn.Module, weights: Mapping[str, Tensor], dtype: torch.dtype, hardware: Hardware, part: str) -> None:
    """Put weights into a model that has shapes only, without a second copy in memory.

    Raises UnusableFile when they are not those that the model needs.
    """
    wanted = {name: tensor.shape for name, tensor in model.state_dict().items()}
    missing = [name for name in wanted if name not in weights]
    misshapen = [name for name in wanted if name in weights and weights[name].shape != wanted[name]]
    if missing or misshapen:
        what, names = ("are missing", missing) if missing else ("have another shape than expected", misshapen)
        raise UnusableFile(
            f"{len(names)} weights of the {part} {what} ({names[0]}, ...): the file is incomplete, or of a kind that"
            " is not known here. Look for another version of it."
        )
    cast = {name: weights[name].to(dtype) for name in wanted}
    model.load_state_dict(cast, assign=True)
    model.requires_grad_(False).eval()
    if not hardware.offload:
        model.to(hardware.device)
