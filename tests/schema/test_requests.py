from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from modules.schema.paths import nested_model
from modules.schema.requests import (
    LARGEST_SEED,
    RANDOM_SEED,
    Canvas,
    Frozen,
    Hires,
    Img2Img,
    Inpaint,
    Masking,
    Outpaint,
    Reading,
    Refiner,
    Sampling,
    Seeding,
    Stochastic,
    Txt2Img,
)

WRONG: list[tuple[str, dict[str, Any]]] = [
    ("sampling.steps", {"sampling": {"steps": 0}}),
    ("sampling.steps", {"sampling": {"steps": 151}}),
    ("sampling.steps", {"sampling": {"steps": 2.5}}),
    ("sampling.guidance_scale", {"sampling": {"guidance_scale": 0.5}}),
    ("sampling.guidance_scale", {"sampling": {"guidance_scale": 31}}),
    ("sampling.guidance_scale", {"sampling": {"guidance_scale": float("nan")}}),
    ("sampling.colour", {"sampling": {"colour": "red"}}),
    ("width", {"width": 100}),
    ("width", {"width": 56}),
    ("height", {"height": 4104}),
    ("seed", {"seed": -2}),
    ("seed", {"seed": LARGEST_SEED + 1}),
    ("batch_count", {"batch_count": 0}),
    ("batch_count", {"batch_count": 101}),
    ("batch_size", {"batch_size": 17}),
    ("prompt", {"prompt": "x" * 20_001}),
    ("prompt", {"prompt": "\ud800"}),
    ("negative_prompt", {"negative_prompt": None}),
    ("task", {"task": "hologram"}),
    ("n_iter", {"n_iter": 2}),
    ("seeding.noise_source", {"seeding": {"noise_source": "TPU"}}),
    ("seeding.variation_strength", {"seeding": {"variation_strength": 1.1}}),
    ("seeding.resize_from_width", {"seeding": {"resize_from_width": 100}}),
    ("seeding.eta_seed_delta", {"seeding": {"eta_seed_delta": -1}}),
    ("stochastic.eta", {"stochastic": {"eta": -0.1}}),
    ("stochastic.churn", {"stochastic": {"churn": 101}}),
    ("stochastic.noise_scale", {"stochastic": {"noise_scale": float("inf")}}),
]


@pytest.mark.parametrize(("place", "values"), WRONG)
def test_a_wrong_value_is_refused_at_its_place(place: str, values: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as refused:
        Txt2Img.model_validate(values)
    assert [".".join(map(str, error["loc"])) for error in refused.value.errors()] == [place]


@pytest.mark.parametrize(
    "values",
    [
        {"sampling": {"steps": 1, "guidance_scale": 1}},
        {"sampling": {"steps": 150, "guidance_scale": 30}},
        {"width": 64, "height": 4096},
        {"seed": RANDOM_SEED},
        {"seed": LARGEST_SEED},
        {"batch_count": 100, "batch_size": 16},
        {"prompt": "x" * 20_000, "negative_prompt": ""},
    ],
)
def test_values_at_their_bounds_are_taken(values: dict[str, Any]) -> None:
    request = Txt2Img.model_validate(values)
    dumped = request.model_dump()
    assert all(dumped[name] == value or dumped[name].items() >= value.items() for name, value in values.items())


def test_a_request_is_the_same_after_its_journey_as_text() -> None:
    request = Txt2Img(prompt="kırmızı\nahır", sampling=Sampling(steps=3), width=64, seed=9)
    assert Txt2Img.model_validate_json(request.model_dump_json()) == request


@pytest.mark.parametrize(("model", "name"), [(Txt2Img(), "seed"), (Sampling(), "steps")])
def test_a_request_cannot_be_changed(model: Frozen, name: str) -> None:
    with pytest.raises(ValidationError, match="frozen"):
        setattr(model, name, 3)


def test_drawn_words_are_there_for_every_picture_or_for_none() -> None:
    filled = {"template": "{a|b}", "prompts": ("a", "b"), "negative_prompts": ("", "x")}
    request = Txt2Img.model_validate({"seed": 4, "batch_size": 2, "filled": filled})
    assert [request.words_of(index) for index in (0, 1)] == [("a", ""), ("b", "x")]
    assert request.alone(1).words_of(0) == ("b", "x")
    assert (request.alone(1).prompt, request.alone(1).seed) == ("b", 5)
    for wrong in ({"batch_size": 3}, {"filled": {**filled, "negative_prompts": ("x",)}}):
        with pytest.raises(ValidationError, match="the words of"):
            Txt2Img.model_validate({"batch_size": 2, "filled": filled, **wrong})


def test_pictures_are_counted_over_the_whole_job() -> None:
    request = Txt2Img(seed=100, batch_count=3, batch_size=4)
    assert request.picture_count == 12
    assert [request.seed_of(index) for index in (0, 11)] == [100, 111]


def test_with_a_variation_all_pictures_have_the_seed_and_their_variation_seeds_grow() -> None:
    request = Txt2Img(seed=LARGEST_SEED, batch_count=3, seeding=Seeding(variation_seed=5, variation_strength=0.1))
    assert [request.seed_of(index) for index in range(3)] == [LARGEST_SEED] * 3
    assert [request.variation_seed_of(index) for index in range(3)] == [5, 6, 7]


@pytest.mark.parametrize("seeding", [{}, {"variation_seed": LARGEST_SEED, "variation_strength": 0.1}])
def test_seeds_that_would_grow_too_large_are_refused(seeding: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="take a smaller one"):
        Txt2Img(seed=LARGEST_SEED, batch_count=2, seeding=Seeding.model_validate(seeding))


def test_the_noise_of_another_size_takes_both_sides() -> None:
    assert Seeding(resize_from_width=64, resize_from_height=64).resizes
    assert not Seeding(resize_from_width=64).resizes


@pytest.mark.parametrize("given", [{}, {"width": 64}, {"height": 64}])
def test_a_request_without_a_size_does_not_make_one_up(given: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="not resolved"):
        _ = Txt2Img.model_validate(given).size


@pytest.mark.parametrize(
    "model",
    [Txt2Img, Img2Img, Inpaint, Outpaint, Sampling, Hires, Refiner, Masking, Canvas, Reading, Seeding, Stochastic],
)
def test_every_value_has_a_title_and_a_sentence_of_help(model: type[BaseModel]) -> None:
    for name, field in model.model_fields.items():
        if nested_model(field) is None and name != "task":
            assert field.title, name
            assert field.description, name
            assert field.description.endswith("."), name
