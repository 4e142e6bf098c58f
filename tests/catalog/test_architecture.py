import json
from pathlib import Path
from typing import Any

import pytest

from modules.catalog.architecture import (
    PREFIX_VARIANTS,
    TEXT,
    UNET,
    VAE,
    Architecture,
    TextEncoderShape,
    UNetShape,
    VaeShape,
    canonical_names,
    detect,
)
from modules.catalog.headers import read_header
from modules.schema.errors import UnusableFile
from modules.settings import REPOSITORY
from tests.catalog.headers_of import FULL, TINY, Shapes, header_of, sd1, write

OWN = "kararli.architecture"


def _refusal(shapes: Shapes, **metadata: str) -> str:
    with pytest.raises(UnusableFile) as refused:
        detect(header_of(shapes, metadata))
    return str(refused.value)


def _with_own(own: object) -> Architecture:
    return detect(header_of(sd1(), {OWN: json.dumps(own)}))


def _renamed(shapes: Shapes, old: str, new: str) -> Shapes:
    return {new + name.removeprefix(old) if name.startswith(old) else name: shape for name, shape in shapes.items()}


def _without(shapes: Shapes, *beginnings: str) -> Shapes:
    return {name: shape for name, shape in shapes.items() if not name.startswith(beginnings)}


# what shapes tell


def test_the_sizes_of_stable_diffusion_1_5_are_read_from_its_shapes() -> None:
    architecture = detect(header_of(sd1(FULL)))
    assert architecture == Architecture(
        family="sd1",
        prediction_type="epsilon",
        resolution=512,
        unet=UNetShape(
            in_channels=4,
            out_channels=4,
            channels=(320, 640, 1280, 1280),
            layers_per_block=2,
            attention=(True, True, True, False),
            context_width=768,
            attention_heads=8,
            norm_num_groups=32,
        ),
        vae=VaeShape(
            latent_channels=4,
            channels=(128, 256, 512, 512),
            layers_per_block=2,
            norm_num_groups=32,
            scaling_factor=0.18215,
        ),
        text_encoder=TextEncoderShape(
            width=768,
            layers=12,
            intermediate=3072,
            vocabulary=49408,
            positions=77,
            attention_heads=12,
            hidden_act="quick_gelu",
        ),
    )
    assert architecture.vae.factor == 8


def test_the_hand_made_names_are_those_of_a_real_checkpoint() -> None:
    shapes = sd1(FULL)
    parts = {prefix: sum(name.startswith(prefix) for name in shapes) for prefix in (UNET, VAE, TEXT)}
    assert parts == {UNET: 686, VAE: 248, TEXT: 197}  # as they are in v1-5-pruned-emaonly


def test_the_sizes_of_a_tiny_checkpoint_are_read_from_its_shapes(tmp_path: Path) -> None:
    architecture = detect(read_header(write(tmp_path / "tiny.safetensors")))
    assert architecture.unet.channels == (TINY.base, 2 * TINY.base)
    assert architecture.unet.attention == TINY.attention
    assert architecture.unet.layers_per_block == architecture.vae.layers_per_block == 1
    assert architecture.unet.context_width == architecture.text_encoder.width == TINY.context
    assert architecture.vae.channels == (TINY.vae_base, 2 * TINY.vae_base)
    assert architecture.vae.factor == 2
    assert architecture.text_encoder.layers == TINY.text_layers
    assert architecture.text_encoder.intermediate == TINY.intermediate
    assert architecture.text_encoder.vocabulary == TINY.vocabulary
    assert architecture.text_encoder.attention_heads == 1


def test_the_checkpoint_that_ships_is_what_its_metadata_says() -> None:
    header = read_header(REPOSITORY / "models" / "Stable-diffusion" / "demo.safetensors")
    architecture, own = detect(header), json.loads(header.metadata[OWN])
    assert architecture.resolution == own["resolution"]
    assert architecture.prediction_type == own["prediction_type"]
    assert architecture.unet.attention_heads == own["unet"]["attention_heads"]
    assert architecture.vae.norm_num_groups == own["vae"]["norm_num_groups"]
    assert architecture.vae.factor == 8
    assert len(architecture.unet.channels) == len(architecture.unet.attention)


# names in the wild


@pytest.mark.parametrize(("prefix", "canonical"), PREFIX_VARIANTS)
def test_every_variant_of_a_prefix_is_brought_to_the_original_layout(prefix: str, canonical: str) -> None:
    shapes = _renamed(sd1(), canonical, prefix)
    assert detect(header_of(shapes)) == detect(header_of(sd1()))
    assert set(canonical_names(shapes).values()) == set(sd1())


def test_a_unet_without_any_prefix_is_recognised() -> None:
    shapes = _renamed(sd1(), UNET, "")
    assert detect(header_of(shapes)) == detect(header_of(sd1()))
    assert set(canonical_names(shapes).values()) == set(sd1())


def test_tensors_of_no_part_are_left_out() -> None:
    averages = {"model_ema.diffusion_modelinput_blocks00weight": (32, 4, 3, 3), "model_ema.decay": ()}
    buffers = {"betas": (1000,), "alphas_cumprod": (1000,)}
    assert set(canonical_names([*sd1(), *averages, *buffers])) == set(sd1())
    assert detect(header_of({**sd1(), **averages, **buffers})) == detect(header_of(sd1()))


# what metadata tells


def test_own_metadata_overrides_what_shapes_cannot_tell() -> None:
    own = {
        "prediction_type": "v_prediction",
        "resolution": 128,
        "unet": {"attention_heads": 4, "norm_num_groups": 8},
        "vae": {"norm_num_groups": 1, "scaling_factor": 0.5},
        "text_encoder": {"attention_heads": 4, "hidden_act": "gelu"},
    }
    architecture, plain = _with_own(own), detect(header_of(sd1()))
    assert (architecture.prediction_type, architecture.resolution) == ("v_prediction", 128)
    assert architecture.unet == plain.unet.model_copy(update=own["unet"])
    assert architecture.vae == plain.vae.model_copy(update=own["vae"])
    assert architecture.text_encoder == plain.text_encoder.model_copy(update=own["text_encoder"])


def test_a_model_with_other_groups_is_refused_until_its_metadata_says_so() -> None:
    shapes = sd1(FULL)
    narrow = {name: tuple(40 if size == 320 else size for size in shape) for name, shape in shapes.items()}
    assert OWN in _refusal(narrow)
    assert detect(header_of(narrow, {OWN: '{"unet": {"norm_num_groups": 8}}'})).unet.channels[0] == 40


@pytest.mark.parametrize(
    "text",
    [
        "", "not JSON", "[]", "7", "null", '"sd1"', '{"unet": []}', '{"vae": null}', '{"text_encoder": "small"}',
        '{"unet": {"attention_heads": 4}', "[" * 100_000, '{"resolution": ' + "9" * 5000 + "}", "\ud800",
    ],
)  # fmt: skip
def test_own_metadata_that_is_no_such_table_is_refused(text: str) -> None:
    assert OWN in _refusal(sd1(), **{OWN: text})


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown family": ({"family": "sd9"}, "family"),
    "an unknown prediction": ({"prediction_type": "x0"}, "prediction_type"),
    "a size that no latent has": ({"resolution": 513}, "resolution"),
    "a size below any picture's": ({"resolution": 8}, "resolution"),
    "an unknown field": ({"colour": "red"}, "colour"),
    "an unknown field of a part": ({"unet": {"colour": "red"}}, "unet.colour"),
    "heads that do not divide": ({"unet": {"attention_heads": 7}}, "7 heads"),
    "no heads": ({"unet": {"attention_heads": 0}}, "unet.attention_heads"),
    "groups that do not divide": ({"unet": {"norm_num_groups": 48}}, "48 norm groups"),
    "groups that do not divide the VAE": ({"vae": {"norm_num_groups": 48}}, "48 norm groups"),
    "heads that do not divide the text encoder": ({"text_encoder": {"attention_heads": 7}}, "7 heads"),
    "no levels": ({"unet": {"channels": [], "attention": []}}, "unet.channels"),
    "attention for fewer levels than there are": ({"unet": {"attention": [True]}}, "1 values of attention"),
    "another latent": ({"vae": {"latent_channels": 16}}, "latent channels"),
    "another context": ({"unet": {"context_width": 32}}, "text encoder"),
    "a scale of nothing": ({"vae": {"scaling_factor": 0}}, "vae.scaling_factor"),
    "a scale without end": ({"vae": {"scaling_factor": float("inf")}}, "vae.scaling_factor"),
    "an unknown activation": ({"text_encoder": {"hidden_act": "relu"}}, "text_encoder.hidden_act"),
}


@pytest.mark.parametrize(("own", "place"), WRONG.values(), ids=WRONG)
def test_own_metadata_that_cannot_be_is_refused_with_its_place(own: dict[str, Any], place: str) -> None:
    sentence = _refusal(sd1(), **{OWN: json.dumps(own)})
    assert place in sentence
    assert OWN in sentence


@pytest.mark.parametrize("spelling", ["v", "V", "v_prediction", "v-prediction"])
def test_modelspec_tells_the_prediction_type(spelling: str) -> None:
    assert detect(header_of(sd1(), {"modelspec.prediction_type": spelling})).prediction_type == "v_prediction"


@pytest.mark.parametrize("spelling", ["epsilon", "", "something new"])
def test_any_other_prediction_type_of_modelspec_means_epsilon(spelling: str) -> None:
    assert detect(header_of(sd1(), {"modelspec.prediction_type": spelling})).prediction_type == "epsilon"


def test_modelspec_tells_the_resolution() -> None:
    assert detect(header_of(sd1(), {"modelspec.resolution": "768x768"})).resolution == 768


@pytest.mark.parametrize("size", ["", "512", "512x768", "500x500", "16x16", "8192x8192", "99999x99999", "x"])
def test_a_resolution_of_modelspec_that_is_of_no_use_is_left_aside(size: str) -> None:
    assert detect(header_of(sd1(), {"modelspec.resolution": size})).resolution == 512


def test_own_metadata_comes_before_modelspec() -> None:
    metadata = {
        "modelspec.prediction_type": "v",
        "modelspec.resolution": "768x768",
        OWN: '{"prediction_type": "epsilon", "resolution": 256}',
    }
    architecture = detect(header_of(sd1(), metadata))
    assert (architecture.prediction_type, architecture.resolution) == ("epsilon", 256)


# what is no checkpoint of this family

CONVOLUTION, MATRIX = (32, 4, 3, 3), (32, 32)

OTHERS: dict[str, tuple[Shapes, str]] = {
    "a LoRA in kohya's names": (
        {"lora_unet_down_blocks_0_attentions_0_proj_in.lora_down.weight": MATRIX}, "models/Lora/",
    ),
    "a LoRA of the text encoder": (
        {"lora_te_text_model_encoder_layers_0_mlp_fc1.lora_up.weight": MATRIX}, "models/Lora/",
    ),
    "a LoRA in peft's names": ({"unet.down_blocks.0.attentions.0.to_q.lora_A.weight": MATRIX}, "models/Lora/"),
    "a LoRA in diffusers' old names": (
        {"unet.mid_block.attentions.0.transformer_blocks.0.attn1.processor.to_q_lora.up.weight": MATRIX},
        "models/Lora/",
    ),
    "a LoRA of FLUX": ({"diffusion_model.double_blocks.0.img_attn.qkv.lora_A.weight": MATRIX}, "models/Lora/"),
    "a ControlNet": ({"control_model.input_blocks.0.0.weight": CONVOLUTION}, "models/ControlNet/"),
    "a ControlNet in diffusers' names": (
        {"controlnet_cond_embedding.conv_in.weight": (16, 3, 3, 3), "down_blocks.0.resnets.0.conv1.weight": MATRIX},
        "models/ControlNet/",
    ),
    "an embedding": ({"emb_params": (2, 768)}, "models/embeddings/"),
    "an embedding of SDXL": ({"clip_l": (2, 768), "clip_g": (2, 1280)}, "models/embeddings/"),
    "a VAE": ({"encoder.down.0.block.0.conv1.weight": MATRIX, "decoder.conv_in.weight": CONVOLUTION}, "models/VAE/"),
    "a VAE in diffusers' names": ({"decoder.up_blocks.0.resnets.0.conv1.weight": MATRIX}, "models/VAE/"),
    "a VAE with its prefix": (_without(sd1(), UNET, TEXT), "models/VAE/"),
    "SD 3": ({"model.diffusion_model.joint_blocks.0.x_block.attn.qkv.weight": MATRIX}, "SD 3 or FLUX"),
    "SD 3 with its VAE": (
        {"model.diffusion_model.joint_blocks.0.x_block.attn.qkv.weight": MATRIX, **_without(sd1(), UNET, TEXT)},
        "SD 3 or FLUX",
    ),
    "FLUX": ({"double_blocks.0.img_attn.qkv.weight": MATRIX}, "SD 3 or FLUX"),
    "a part of a diffusers folder": ({"down_blocks.0.resnets.0.conv1.weight": MATRIX}, "diffusers folder"),
    "a language model": ({"model.layers.0.mlp.up_proj.weight": MATRIX}, "No Stable Diffusion model"),
    "nothing": ({}, "No Stable Diffusion model"),
    "SDXL": (
        {**sd1(), "conditioner.embedders.1.model.ln_final.weight": (1280,), f"{UNET}label_emb.0.0.weight": MATRIX},
        "SDXL",
    ),
    "SDXL's UNet alone": (
        {**_without(sd1(), VAE, TEXT), f"{UNET}label_emb.0.0.weight": MATRIX}, "SDXL",
    ),
    "SD 2": (
        {**_without(sd1(), TEXT), "cond_stage_model.model.ln_final.weight": (1024,)}, "Stable Diffusion 2.x",
    ),
    "a UNet alone": (_without(sd1(), VAE, TEXT), "no VAE"),
    "a checkpoint without its VAE": (_without(sd1(), VAE), "no VAE"),
    "a checkpoint without its text encoder": (_without(sd1(), TEXT), "no text encoder"),
}  # fmt: skip


@pytest.mark.parametrize(("shapes", "words"), OTHERS.values(), ids=OTHERS)
def test_a_file_of_another_kind_is_named(shapes: Shapes, words: str) -> None:
    sentence = _refusal(shapes)
    assert words in sentence
    assert sentence.endswith(".")


@pytest.mark.parametrize(("channels", "edits", "inpaints"), [(4, False, False), (8, True, False), (9, False, True)])
def test_a_unet_that_sees_a_picture_is_known_by_its_channels(channels: int, edits: bool, inpaints: bool) -> None:
    found = detect(header_of({**sd1(), f"{UNET}input_blocks.0.0.weight": (32, channels, 3, 3)}))
    assert (found.edits, found.inpaints) == (edits, inpaints)


def test_each_kind_has_its_own_sentence() -> None:
    words = {words for _, words in OTHERS.values()}
    assert len({_refusal(shapes) for shapes, _ in OTHERS.values()}) == len(words)


# what is damaged

NEEDED = (
    f"{UNET}input_blocks.0.0.weight",
    f"{UNET}input_blocks.1.0.in_layers.2.weight",
    f"{UNET}input_blocks.2.0.op.weight",
    f"{UNET}input_blocks.3.0.in_layers.2.weight",
    f"{UNET}out.2.weight",
    f"{VAE}encoder.down.0.block.0.conv1.weight",
    f"{VAE}encoder.down.1.block.0.conv1.weight",
    f"{VAE}decoder.conv_in.weight",
    f"{TEXT}embeddings.token_embedding.weight",
    f"{TEXT}embeddings.position_embedding.weight",
    f"{TEXT}encoder.layers.0.mlp.fc1.weight",
)


@pytest.mark.parametrize("name", NEEDED)
def test_a_weight_that_the_sizes_are_read_from_may_not_be_missing(name: str) -> None:
    shapes = sd1()
    del shapes[name]
    assert _refusal(shapes).endswith(".")


SENSELESS = [
    (name, shape)
    for name in NEEDED
    if not name.endswith("op.weight")  # of which nothing is read
    for dimensions in (len(sd1()[name]),)
    for shape in ((), (32,), (1, 2, 3), (1, 2, 3, 4, 5), (0,) * dimensions, (10**12,) * dimensions)
]


@pytest.mark.parametrize(("name", "shape"), SENSELESS)
def test_a_weight_that_the_sizes_are_read_from_may_not_have_any_shape(name: str, shape: tuple[int, ...]) -> None:
    assert _refusal({**sd1(), name: shape}).endswith(".")


def test_a_missing_weight_is_named() -> None:
    shapes = sd1()
    del shapes[f"{UNET}out.2.weight"]
    assert f"{UNET}out.2.weight" in _refusal(shapes)


def test_a_unet_without_any_attention_to_words_is_refused() -> None:
    shapes = {name: shape for name, shape in sd1().items() if "attn2" not in name}
    assert "attn2.to_k.weight" in _refusal(shapes)


def test_a_vae_without_an_encoder_is_refused() -> None:
    assert f"{VAE}encoder.down.0" in _refusal(_without(sd1(), f"{VAE}encoder."))


@pytest.mark.parametrize("number", ["9" * 5000, "123456", "-1", "x", ""])
def test_a_name_with_a_senseless_number_does_not_disturb(number: str) -> None:
    senseless = {f"{UNET}input_blocks.{number}.0.op.weight": (1,), f"{TEXT}encoder.layers.{number}.x": (1,)}
    assert detect(header_of({**sd1(), **senseless})) == detect(header_of(sd1()))
