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
    Refiner,
    Sampling,
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


def test_pictures_are_counted_over_the_whole_job() -> None:
    request = Txt2Img(seed=100, batch_count=3, batch_size=4)
    assert request.picture_count == 12
    assert [request.seed_of(index) for index in (0, 11)] == [100, 111]


@pytest.mark.parametrize("given", [{}, {"width": 64}, {"height": 64}])
def test_a_request_without_a_size_does_not_make_one_up(given: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="not resolved"):
        _ = Txt2Img.model_validate(given).size


@pytest.mark.parametrize("model", [Txt2Img, Img2Img, Inpaint, Outpaint, Sampling, Hires, Refiner, Masking, Canvas])
def test_every_value_has_a_title_and_a_sentence_of_help(model: type[BaseModel]) -> None:
    for name, field in model.model_fields.items():
        if nested_model(field) is None and name != "task":
            assert field.title, name
            assert field.description, name
            assert field.description.endswith("."), name
