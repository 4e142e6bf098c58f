import json
import re
from dataclasses import replace

import pytest

from modules import __version__
from modules.schema.results import UsedFile
from modules.storage.infotext import write_infotext
from modules.storage.reading import read_text
from tests.storage.painting import job, painted

PAIR = re.compile(r'\s*(\w[\w \-/]+):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)')
"""How other programs tell the pairs of the last line apart."""


def _read(infotext: str) -> tuple[str, str, dict[str, str]]:
    """Prompt, negative prompt and pairs, read as other programs read them."""
    *lines, last = infotext.split("\n")
    pairs = {key: json.loads(value) if value.startswith('"') else value for key, value in PAIR.findall(last)}
    prompt: list[str] = []
    negative: list[str] = []
    part = prompt
    for line in lines:
        if line.startswith("Negative prompt:"):
            part, line = negative, line.removeprefix("Negative prompt:").strip()
        part.append(line)
    return "\n".join(prompt), "\n".join(negative), pairs


def _written(checkpoint: str = "demo.safetensors", **request: object) -> str:
    return write_infotext(job(**request).request, painted(checkpoint=checkpoint, width=64, height=128))


def test_the_text_is_prompt_then_negative_prompt_then_one_line_of_pairs() -> None:
    sampling = {"steps": 12, "sampler": "Euler a", "schedule": "Karras", "guidance_scale": 6.5}
    assert _written(prompt="a red barn", negative_prompt="rain", sampling=sampling) == (
        "a red barn\n"
        "Negative prompt: rain\n"
        "Steps: 12, Sampler: Euler a, Schedule type: Karras, CFG scale: 6.5, Seed: 7, Size: 64x128,"
        f" Model hash: 0123456789, Model: demo, RNG: CPU, Version: Kararli {__version__}"
    )


def test_without_a_negative_prompt_there_is_no_line_for_it() -> None:
    assert "Negative" not in _written(prompt="a red barn")


def test_without_a_prompt_the_text_begins_with_the_pairs() -> None:
    assert _written().startswith("Steps: ")


def test_without_a_prompt_the_text_may_begin_with_the_negative_prompt() -> None:
    assert _written(negative_prompt="rain").startswith("Negative prompt: rain\nSteps: ")


@pytest.mark.parametrize(
    ("prompt", "negative"),
    [
        ("a red barn", "rain"),
        ("a red barn", ""),
        ("", "rain"),
        ("", ""),
        ("one\ntwo\n\nfour", "five\nsix"),
        ("a, b: c, (d:1.2), [e|f]", 'say "no", twice'),
        ("Steps: 20, Sampler: none, Seed: 3\nand more", "Size: 1x1"),
        ("kırmızı bir ahır 🏚", "yağmur"),
        ("back\\slash", "<lora:x:1>"),
    ],
)
def test_other_programs_read_back_what_was_written(prompt: str, negative: str) -> None:
    read = _read(_written(prompt=prompt, negative_prompt=negative))
    assert read[:2] == (prompt, negative)
    assert read[2]["Seed"] == "7"


@pytest.mark.parametrize(
    "stem", ["plain", "v1.5-pruned", "a, b", "a: b", 'the "best"', "a,b:c\\d", "iki, üç", "with space", "x\ny"]
)
def test_a_models_name_is_quoted_where_it_must_be(stem: str) -> None:
    pairs = _read(_written(checkpoint=f"folder/{stem}.safetensors"))[2]
    assert pairs["Model"] == stem
    assert (pairs["Seed"], pairs["RNG"]) == ("7", "CPU")


def test_a_name_without_marks_is_not_quoted() -> None:
    assert "Model: v1.5-pruned," in _written(checkpoint="v1.5-pruned.safetensors")


def test_an_ending_in_capitals_is_left_out_too() -> None:
    assert "Model: OLD," in _written(checkpoint="OLD.SAFETENSORS")


def test_how_the_words_were_read_is_told_where_it_is_not_the_usual_way() -> None:
    text = _written(reading={"clip_skip": 2, "emphasis": "No norm"})
    assert "Model: demo, Clip skip: 2, RNG: CPU, Emphasis: No norm, Version" in text
    assert "Clip skip" not in _written()
    assert "Emphasis" not in _written()


def test_each_picture_tells_its_own_words_and_what_they_were_drawn_from() -> None:
    filled = {
        "template": "a {red|blue}, barn",
        "negative_template": "{fog|rain}",
        "prompts": ("a red, barn", "a blue, barn"),
        "negative_prompts": ("fog", "rain"),
    }
    request = job(prompt="a red, barn", negative_prompt="fog", batch_count=2, filled=filled).request
    prompt, negative, pairs = _read(write_infotext(request, painted(index=1)))
    assert (prompt, negative) == ("a blue, barn", "rain")
    assert (pairs["Template"], pairs["Negative Template"]) == ("a {red|blue}, barn", "{fog|rain}")


def test_embeddings_are_told_with_their_short_hashes() -> None:
    record = UsedFile(kind="embedding", name="style-x", sha256="abcdef0123456789" * 4)
    one = painted()
    one = replace(one, environment=one.environment.model_copy(update={"further_files": (record, record)}))
    pairs = _read(write_infotext(job().request, one))[2]
    assert pairs["TI hashes"] == "style-x: abcdef012345, style-x: abcdef012345"


def _line(**request: object) -> str:
    return _written(**request).rpartition("\n")[2]


def test_a_variation_and_a_size_are_named_where_other_programs_name_them() -> None:
    seeding = {"variation_seed": 5, "variation_strength": 0.3, "resize_from_width": 512, "resize_from_height": 768}
    assert (
        "Model: demo, Variation seed: 5, Variation seed strength: 0.3, Seed resize from: 512x768, ENSD: 31337, RNG: NV,"
        in _line(seeding={**seeding, "eta_seed_delta": 31337, "noise_source": "NV"})
    )


def test_the_variation_seed_is_the_pictures() -> None:
    request = job(batch_count=4, seeding={"variation_seed": 5, "variation_strength": 0.3}).request
    assert "Variation seed: 8," in write_infotext(request, painted(index=3))


def test_dials_are_named_where_they_are_changed() -> None:
    dials = {"eta": 0.5, "churn": 1.5, "churn_from": 0.1, "churn_to": 9, "noise_scale": 1.01}
    named = "Sigma churn: 1.5, Sigma tmin: 0.1, Sigma tmax: 9.0, Sigma noise: 1.01, Version"
    assert f"RNG: CPU, Eta: 0.5, {named}" in _line(stochastic=dials)
    assert f"RNG: CPU, Eta DDIM: 0.5, {named}" in _line(stochastic=dials, sampling={"sampler": "DDIM"})
    assert "Eta: 0.0," in _line(stochastic={"eta": 0})


def test_the_beta_schedule_names_its_parameters() -> None:
    text = _line(sampling={"schedule": "Beta"})
    assert "Beta schedule alpha: 0.6, Beta schedule beta: 0.6," in text
    assert read_text(text).rest == {}
    assert read_text(text.replace("alpha: 0.6", "alpha: 0.5")).rest == {"Beta schedule alpha": "0.5"}


def test_the_eta_of_ddim_is_read_back_from_its_own_key() -> None:
    text = _line(stochastic={"eta": 0.25}, sampling={"sampler": "DDIM CFG++"})
    assert "Eta DDIM: 0.25" in text
    assert read_text(text).values["stochastic.eta"] == 0.25


def test_the_seed_is_the_pictures_and_not_the_jobs() -> None:
    request = job(seed=100, batch_count=4).request
    assert "Seed: 103," in write_infotext(request, painted(index=3, seed=103))
