"""What is written is read back, and what other programs wrote is read with the meaning that it had."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.schema.requests import Hires, Refiner, Txt2Img
from modules.storage.dialects import Reading
from modules.storage.infotext import FURTHER, Infotext, read_infotext, write_infotext
from modules.storage.keys import NOT_IN_THE_TEXT, ROWS
from modules.storage.reading import read_text
from modules.ui.form import leaf_paths
from tests.requests_of import CALM, TEXTS, requests_of
from tests.storage.painting import job, painted


def value_at(request: Txt2Img, path: str) -> Any:
    value: Any = request
    for part in path.split("."):
        value = getattr(value, part)
    return value


def unused(request: Txt2Img) -> dict[str, Any]:
    """What a resolved request has in place of parts that it does not use."""
    parts: dict[str, Any] = {} if request.hires.enabled else {"hires": Hires()}
    return parts if request.refiner.checkpoint else {**parts, "refiner": Refiner()}


# ---- our own


@CALM
@given(requests_of(Txt2Img), st.integers(0, 1600))
def test_every_value_of_every_request_is_read_back(request: Txt2Img, index: int) -> None:
    index %= request.picture_count
    small = request.model_copy(update={"width": request.width or 64, "height": request.height or 64, **unused(request)})
    text = write_infotext(small, painted(index=index))
    alone, reading = small.alone(index), read_text(text)
    assert {path: reading.values[path] for path in leaf_paths(Txt2Img) if path not in NOT_IN_THE_TEXT} == {
        path: value_at(alone, path) for path in leaf_paths(Txt2Img) if path not in NOT_IN_THE_TEXT
    }
    assert (reading.infotext.prompt, reading.infotext.negative_prompt) == (alone.prompt, alone.negative_prompt)
    assert (reading.checkpoint, reading.checkpoint_hash) == ("demo", "0123456789")
    assert reading.rest == {}


@CALM
@given(TEXTS, TEXTS, st.dictionaries(st.sampled_from(["Model", "Lora hashes", "X/Y/Z Type", "User"]), TEXTS))
def test_prompts_and_values_of_any_kind_survive(prompt: str, negative: str, more: dict[str, str]) -> None:
    written = Infotext(prompt, negative, {"Steps": "20", "Seed": "7", "Sampler": "Euler", **more})
    assert read_infotext(written.text()) == written


@CALM
@given(st.text(max_size=300))
def test_any_text_can_be_read(text: str) -> None:
    assert isinstance(read_text(text), Reading)


def test_every_value_of_a_request_has_a_row() -> None:
    paths = {path for row in ROWS for path in row.paths}
    assert set(leaf_paths(Txt2Img)) - NOT_IN_THE_TEXT <= paths


def test_a_picture_of_a_batch_reads_as_that_picture_alone() -> None:
    batch = job(seed=100, batch_count=2, batch_size=3)
    reading = read_text(write_infotext(batch.request, painted(index=4, seed=104)))
    assert reading.values["seed"] == 104


def test_a_prompt_that_the_plain_form_would_cut_stands_in_the_pairs_once_more() -> None:
    text = write_infotext(job(prompt="a\nNegative prompt: b").request, painted())
    assert text.startswith("a\nNegative prompt: b\nSteps: 20, ")
    assert '"a\\nNegative prompt: b"' in text.splitlines()[-1]


# ---- other programs

A1111_1_4 = """(masterpiece:1.2), a lighthouse
by the sea
Negative prompt: blurry, lowres
Steps: 28, Sampler: DPM++ 2M Karras, CFG scale: 7, Seed: 1234567890, Size: 512x768, Model hash: 6ce0161689, \
Model: v1-5-pruned-emaonly, Denoising strength: 0.55, Clip skip: 2, ENSD: 31337, Hires upscale: 2, \
Hires steps: 15, Hires upscaler: Latent, Version: v1.4.0"""

A1111_1_6 = """a cat <lora:fur:0.8>
Negative prompt: dog
Steps: 20, Sampler: DPM++ 2M SDE Exponential, CFG scale: 6.5, Seed: 42, Size: 1024x1024, Model hash: 31e35c80fc, \
Model: sd_xl_base_1.0, VAE hash: 235745af8d, VAE: sdxl_vae.safetensors, RNG: CPU, Lora hashes: "fur: 0123456789ab, \
other: ba9876543210", Refiner: sd_xl_refiner [7440042bbd], Refiner switch at: 0.8, Version: v1.6.0"""

A1111_1_9 = """a tower
Steps: 30, Sampler: Euler a, Schedule type: SGM Uniform, CFG scale: 5.0, Seed: 5, Size: 640x512, \
Model hash: 6ce0161689, Model: v1-5-pruned-emaonly, Variation seed: 99, Variation seed strength: 0.25, \
Seed resize from: 512x512, RNG: NV, Version: v1.9.4"""

A1111_1_10 = """a tower, "quoted", {curly}
Negative prompt: rain:1, snow
on the second line
Steps: 25, Sampler: DPM++ 3M SDE, Schedule type: Karras, CFG scale: 7.0, Seed: 11, Size: 512x512, \
Model hash: 6ce0161689, Model: "odd, name: here", Denoising strength: 0.4, Mask blur: 8, Inpaint area: Only masked, \
Masked area padding: 64, Mask mode: Inpaint not masked, Masked content: latent noise, RNG: CPU, \
Hires prompt: "a tower, detailed:\\nvery", Hires upscale: 1.5, Hires upscaler: R-ESRGAN 4x+, Eta: 0.5, \
Emphasis: No norm, Template: "a {tower|house}, x", Version: v1.10.1"""

FORGE = """a fox
Negative prompt: human
Steps: 20, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 7, Distilled CFG Scale: 3.5, Seed: 8, Size: 896x1152, \
Model hash: abcdef0123, Model: juggernaut, Module 1: ae, Module 2: clip_l, Version: f2.0.1v1.10.1-previous-1-gabc"""


def read(text: str, *paths: str) -> list[Any]:
    values = read_text(text).values
    return [values.get(path) for path in paths]


SAMPLING = ("sampling.sampler", "sampling.schedule", "sampling.steps", "sampling.guidance_scale")


def test_a1111_1_4_is_read_with_the_joined_name_and_the_graphics_cards_noise() -> None:
    reading = read_text(A1111_1_4)
    assert reading.infotext.prompt == "(masterpiece:1.2), a lighthouse\nby the sea"
    assert reading.infotext.negative_prompt == "blurry, lowres"
    assert read(A1111_1_4, *SAMPLING) == ["DPM++ 2M", "Karras", 28, 7.0]
    assert read(A1111_1_4, "seed", "width", "height") == [1234567890, 512, 768]
    assert read(A1111_1_4, "seeding.noise_source", "seeding.eta_seed_delta", "reading.clip_skip") == ["NV", 31337, 2]
    assert read(A1111_1_4, "hires.enabled", "hires.scale", "hires.steps", "hires.upscaler", "hires.strength") == [
        True, 2.0, 15, "Latent", 0.55,
    ]  # fmt: skip
    assert (reading.checkpoint, reading.checkpoint_hash) == ("v1-5-pruned-emaonly", "6ce0161689")
    assert reading.rest == {}


def test_a1111_1_6_keeps_what_is_not_known_here() -> None:
    reading = read_text(A1111_1_6)
    assert read(A1111_1_6, *SAMPLING) == ["DPM++ 2M SDE", "Exponential", 20, 6.5]
    assert read(A1111_1_6, "seeding.noise_source", "hires.enabled") == ["CPU", False]
    assert reading.rest["Lora hashes"] == "fur: 0123456789ab, other: ba9876543210"
    assert reading.values["refiner.checkpoint"] == "sd_xl_refiner"


def test_a1111_1_9_names_schedule_and_variation() -> None:
    assert read(A1111_1_9, *SAMPLING) == ["Euler a", "SGM Uniform", 30, 5.0]
    assert read(A1111_1_9, "seeding.variation_seed", "seeding.variation_strength") == [99, 0.25]
    assert read(A1111_1_9, "seeding.resize_from_width", "seeding.resize_from_height") == [512, 512]
    assert read(A1111_1_9, "seeding.noise_source", "negative_prompt") == ["NV", ""]


def test_a1111_1_10_is_read_with_quotes_commas_colons_and_line_breaks() -> None:
    reading = read_text(A1111_1_10)
    assert reading.infotext.prompt == 'a tower, "quoted", {curly}'
    assert reading.infotext.negative_prompt == "rain:1, snow\non the second line"
    assert reading.checkpoint == "odd, name: here"
    assert read(A1111_1_10, *SAMPLING) == ["DPM++ 3M SDE", "Karras", 25, 7.0]
    assert read(A1111_1_10, "hires.prompt", "hires.scale", "stochastic.eta", "reading.emphasis") == [
        "a tower, detailed:\nvery", 1.5, 0.5, "No norm",
    ]  # fmt: skip
    assert read(A1111_1_10, "masking.blur", "masking.only_masked", "masking.padding", "masking.invert") == [
        8, True, 64, True,
    ]  # fmt: skip
    assert read(A1111_1_10, "masking.content", "strength") == ["latent noise", 0.4]
    assert reading.rest == {"Template": "a {tower|house}, x"}


def test_forge_is_read_and_its_own_keys_are_kept() -> None:
    reading = read_text(FORGE)
    assert read(FORGE, *SAMPLING) == ["DPM++ 2M", "Karras", 20, 7.0]
    assert reading.rest == {"Distilled CFG Scale": "3.5", "Module 1": "ae", "Module 2": "clip_l"}


@pytest.mark.parametrize(
    ("name", "sampler", "schedule"),
    [
        ("DPM++ 2M", "DPM++ 2M", "Uniform"),
        ("DPM++ SDE Karras", "DPM++ SDE", "Karras"),
        ("LMS Karras", "LMS", "Karras"),
        ("Euler a", "Euler a", "Automatic"),
        ("DDIM", "DDIM", "Automatic"),
        ("UniPC", "UniPC", "Automatic"),
    ],
)
def test_before_schedules_had_a_key_the_samplers_name_said_it(name: str, sampler: str, schedule: str) -> None:
    text = f"x\nSteps: 20, Sampler: {name}, CFG scale: 7, Seed: 1, Size: 512x512, Version: v1.8.0"
    assert read(text, "sampling.sampler", "sampling.schedule") == [sampler, schedule]


def test_with_a_schedule_type_a_sampler_is_taken_at_its_word() -> None:
    text = "x\nSteps: 20, Sampler: DPM++ 2M, Schedule type: Automatic, Seed: 1"
    assert read(text, "sampling.sampler", "sampling.schedule") == ["DPM++ 2M", "Automatic"]


@pytest.mark.parametrize("sampler", ["DDIM", "PLMS", "UniPC"])
def test_a_schedule_that_a1111_wrote_down_and_did_not_follow_is_not_followed(sampler: str) -> None:
    text = f"x\nSteps: 20, Sampler: {sampler}, Schedule type: Karras, Seed: 1"
    for version in ("", ", Version: v1.10.1", ", Version: f2.0.1v1.10.1"):
        assert read(text + version, "sampling.sampler", "sampling.schedule") == [sampler, "Automatic"]
    assert read(f"{text}, Version: Kararli 0.1.0", "sampling.schedule") == ["Karras"]


def test_the_first_pass_of_2022_becomes_the_size_and_its_size_the_hires_size() -> None:
    text = "x\nSteps: 20, Sampler: Euler, Seed: 1, Size: 1024x1536, Denoising strength: 0.7, First pass size: 512x768"
    assert read(text, "width", "height", "hires.width", "hires.height", "hires.enabled") == [512, 768, 1024, 1536, True]


def test_lines_below_the_pairs_are_kept_by_their_keys() -> None:
    text = "a {b|c}\nNegative prompt: d\nSteps: 20, Sampler: Euler, Seed: 1\nTemplate: a {b|c}, x\nmore words"
    reading = read_text(text)
    assert (reading.infotext.prompt, reading.infotext.negative_prompt) == ("a {b|c}", "d")
    assert reading.rest == {"Template": "a {b|c}, x", FURTHER: "more words"}


def test_bare_json_of_a_site_is_one_value() -> None:
    resources = '[{"type":"checkpoint","modelVersionId":290640,"weight":1}]'
    text = (
        f"a\nSteps: 20, Sampler: Euler, Seed: 1, Civitai resources: {resources}, Civitai metadata: {{}}, Clip skip: 2"
    )
    reading = read_text(text)
    assert reading.rest == {"Civitai resources": resources, "Civitai metadata": "{}"}
    assert reading.values["reading.clip_skip"] == 2


def test_a_value_that_cannot_be_read_is_kept_in_the_rest() -> None:
    reading = read_text("a\nSteps: many, Sampler: Euler, Seed: 1, Size: large")
    assert reading.rest == {"Steps": "many", "Size": "large"}
    assert "sampling.steps" not in reading.values


def test_a_text_without_pairs_is_a_prompt_and_asks_for_nothing_else() -> None:
    reading = read_text("a red barn, (detailed:1.2)\nNegative prompt: rain")
    assert reading.values == {"prompt": "a red barn, (detailed:1.2)", "negative_prompt": "rain"}


def test_a_last_line_of_the_prompt_with_colons_is_no_line_of_pairs() -> None:
    assert read_text("x\n(a:1.2), (b:1.3), (c:1.4), d: e, f: g, h: i").values["prompt"].count("\n") == 1


@pytest.mark.parametrize("unit", [" ", "a ", "a:", '"', 'a:"', "a:[", "[", "(a:", "\n", "Steps: ", ",", "a, ", "\\"])
def test_a_million_of_anything_is_read(unit: str) -> None:
    text = "a" + unit * (1_000_000 // len(unit)) + "\nSteps: 20, Sampler: Euler, Seed: 1, X:" + unit * 1000
    assert isinstance(read_text(text), Reading)


def test_numbers_keep_all_their_digits() -> None:
    scale = math.nextafter(7.5, 8)
    text = write_infotext(job(sampling={"guidance_scale": scale}).request, painted())
    assert read(text, "sampling.guidance_scale") == [scale]
