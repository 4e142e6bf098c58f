"""Tiny describing models with random weights, in folders as the Hugging Face hub stores them."""

import json
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    BertConfig,
    BlipConfig,
    BlipForConditionalGeneration,
    CLIPConfig,
    CLIPModel,
    GPT2Config,
    PreTrainedTokenizerFast,
    TimesformerConfig,
    TimesformerForVideoClassification,
    VisionEncoderDecoderConfig,
    VisionEncoderDecoderModel,
)

LABELS = ("red circle moving right", "red circle moving left", "green square growing", "blue star standing still", "x")
WORDS = ("a", "red", "green", "blue", "circle", "square", "star", "moves", "stands", "on", "white", "sky")

K400 = {
    "crop_size": {"height": 224, "width": 224}, "do_center_crop": True, "do_normalize": True, "do_rescale": True,
    "do_resize": True, "image_mean": [0.45, 0.45, 0.45], "image_std": [0.225, 0.225, 0.225],
    "image_processor_type": "VideoMAEImageProcessor", "resample": 2, "rescale_factor": 0.00392156862745098,
    "size": {"shortest_edge": 224},
}  # fmt: skip
"""What the published K400 and SSv2 models say of their frames."""

HR = {**K400, "crop_size": {"height": 448, "width": 448}, "size": {"shortest_edge": 448}}


def processor(side: int) -> dict[str, Any]:
    return {**K400, "crop_size": {"height": side, "width": side}, "size": {"shortest_edge": side}}


def timesformer_config(side: int = 32, frames: int = 4, **more: Any) -> TimesformerConfig:
    names = dict(enumerate(LABELS))
    sizes: dict[str, Any] = {
        "image_size": side, "patch_size": 8, "num_frames": frames, "hidden_size": 24, "num_hidden_layers": 2,
        "num_attention_heads": 3, "intermediate_size": 32, "id2label": names,
        "label2id": {name: place for place, name in names.items()},
    }  # fmt: skip
    return TimesformerConfig(**{**sizes, **more})


def save_timesformer(
    folder: Path, config: TimesformerConfig | None = None, licence: str = "cc-by-nc-4.0", scale: float = 6.0
) -> TimesformerForVideoClassification:
    """A classifier whose answers differ from picture to picture: what all pictures have in common is taken out."""
    torch.manual_seed(0)
    config = config or timesformer_config()
    model = TimesformerForVideoClassification(config).eval()
    with torch.no_grad():
        model.classifier.weight.normal_(0, scale)
        model.timesformer.embeddings.time_embeddings.normal_(0, 0.5)
        model.timesformer.embeddings.position_embeddings.normal_(0, 0.5)
        clips = torch.randn(6, 1, 3, 1, 1).expand(6, config.num_frames, 3, config.image_size, config.image_size)
        usual = torch.stack([model.timesformer(clip[None]).last_hidden_state[0, 0] for clip in clips]).mean(0)
        model.classifier.bias.copy_(-model.classifier.weight @ usual)
    finish(folder, model, processor(config.image_size))
    card = f"---\nlicense: {licence}\ntags:\n- video-classification\n---\n\n# A tiny model\n"
    (folder / "README.md").write_text(card, encoding="utf-8")
    return model


def save_captioner(folder: Path, decoder: str = "gpt2", side: int = 32, frames: int = 4) -> VisionEncoderDecoderModel:
    """A TimeSformer with a decoder that writes."""
    torch.manual_seed(1)
    tokenizer = save_tokenizer(folder)
    size = len(tokenizer)
    small: dict[str, Any] = {"vocab_size": size, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
    if decoder == "gpt2":
        language: Any = GPT2Config(n_embd=24, n_layer=1, n_head=2, n_positions=64, **small)
    else:
        language = BertConfig(
            hidden_size=24, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
            max_position_embeddings=64, **small,
        )  # fmt: skip
    config = VisionEncoderDecoderConfig.from_encoder_decoder_configs(timesformer_config(side, frames), language)
    config.decoder_start_token_id, config.pad_token_id, config.eos_token_id = 1, 0, 2
    model = VisionEncoderDecoderModel(config).eval()
    model.generation_config.decoder_start_token_id = 1
    model.generation_config.pad_token_id, model.generation_config.eos_token_id = 0, 2
    finish(folder, model, processor(side))
    return model


def save_clip(folder: Path) -> CLIPModel:
    """A CLIP that sees 32 pixels and knows a few words."""
    torch.manual_seed(2)
    tokenizer = save_tokenizer(folder)
    config = CLIPConfig(
        text_config={
            "vocab_size": len(tokenizer), "hidden_size": 24, "intermediate_size": 32, "num_hidden_layers": 1,
            "num_attention_heads": 2, "max_position_embeddings": 16, "bos_token_id": 1, "eos_token_id": 2,
            "pad_token_id": 0,
        },
        vision_config={
            "hidden_size": 24, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2,
            "image_size": 32, "patch_size": 8,
        },
        projection_dim=16,
    )  # fmt: skip
    model = CLIPModel(config).eval()
    finish(folder, model, {**processor(32), "image_processor_type": "CLIPImageProcessor"})
    return model


def save_blip(folder: Path) -> BlipForConditionalGeneration:
    """A BLIP that sees 32 pixels."""
    torch.manual_seed(3)
    tokenizer = save_tokenizer(folder)
    config = BlipConfig(
        text_config={
            "vocab_size": len(tokenizer), "hidden_size": 24, "encoder_hidden_size": 24, "intermediate_size": 32,
            "num_hidden_layers": 1, "num_attention_heads": 2, "max_position_embeddings": 64, "bos_token_id": 1,
            "eos_token_id": 2, "sep_token_id": 2, "pad_token_id": 0, "projection_dim": 16,
        },
        vision_config={
            "hidden_size": 24, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2,
            "image_size": 32, "patch_size": 8, "projection_dim": 16,
        },
        projection_dim=16, image_text_hidden_size=16,
    )  # fmt: skip
    model = BlipForConditionalGeneration(config).eval()
    small = {**processor(32), "image_processor_type": "BlipImageProcessor", "size": {"height": 32, "width": 32}}
    finish(folder, model, small)
    return model


def save_tokenizer(folder: Path) -> PreTrainedTokenizerFast:
    """Whole words."""
    folder.mkdir(parents=True, exist_ok=True)
    words = {word: place for place, word in enumerate(("[PAD]", "[CLS]", "[SEP]", "[UNK]", *WORDS))}
    plain = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    plain.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=plain, pad_token="[PAD]", bos_token="[CLS]", eos_token="[SEP]", unk_token="[UNK]"
    )
    tokenizer.save_pretrained(str(folder))
    return tokenizer


def finish(folder: Path, model: Any, preprocessor: dict[str, Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(str(folder))
    (folder / "preprocessor_config.json").write_text(json.dumps(preprocessor), encoding="utf-8")
