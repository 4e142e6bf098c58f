"""The form: each value of a request has a control, and nothing is lost between the two."""

import inspect
import random
from pathlib import Path

import gradio as gr
import pytest

from modules.catalog.checkpoints import Catalog
from modules.engine import builtin
from modules.plugins.loading import Plugins
from modules.schema.errors import InvalidRequest
from modules.schema.requests import LARGEST_SEED, Reading, Sampling, Seeding, Stochastic, Txt2Img
from modules.settings import Settings
from modules.ui.form import Form, bounds, field_at, leaf_paths
from modules.ui.language import translator
from modules.ui.page import Page
from modules.ui.txt2img import txt2img_controls
from tests.event_loop import inside_event_loop


@pytest.fixture(scope="module")
def form(tmp_path_factory: pytest.TempPathFactory) -> Form[Txt2Img]:
    """The controls of the txt2img tab."""
    settings = Settings(data_dir=tmp_path_factory.mktemp("form"))

    def build() -> Form[Txt2Img]:
        with gr.Blocks() as blocks:
            checkpoint = gr.Dropdown(["demo.safetensors", "sub/other.safetensors"], label="Checkpoint")
            memory, plugins = gr.BrowserState(None), Plugins(settings, [builtin])
            page = Page(None, Catalog(settings), plugins, translator("en"), blocks, checkpoint, memory)  # type: ignore
            return txt2img_controls(page).form

    return inside_event_loop(build)


def some_request(chance: random.Random) -> Txt2Img:
    def side() -> int:
        return chance.randrange(64, 4097, 8)

    return Txt2Img(
        prompt=chance.choice(["", "a red circle", "two\nlines, and “more” ı"]),
        negative_prompt=chance.choice(["", "blurry"]),
        checkpoint=chance.choice(["demo.safetensors", "sub/other.safetensors"]),
        width=side(),
        height=side(),
        seed=chance.choice([-1, 0, 7, LARGEST_SEED - 1600]),
        batch_count=chance.randint(1, 100),
        batch_size=chance.randint(1, 16),
        reading=Reading(emphasis=chance.choice(["Original", "Ignore"]), clip_skip=chance.randint(1, 12)),
        sampling=Sampling(
            steps=chance.randint(1, 150),
            sampler=chance.choice(["Euler", "DPM++ SDE"]),
            schedule=chance.choice(["Automatic", "Karras"]),
            guidance_scale=chance.choice([1.0, 7.5, 30.0]),
        ),
        seeding=Seeding(
            noise_source=chance.choice(["CPU", "GPU", "NV"]),
            variation_seed=chance.choice([-1, 0, 9]),
            variation_strength=chance.choice([0.0, 0.25, 1.0]),
            resize_from_width=chance.choice([0, 512]),
            resize_from_height=chance.choice([0, 768]),
            eta_seed_delta=chance.choice([0, 31337]),
        ),
        stochastic=Stochastic(
            eta=chance.choice([None, 0.0, 0.5]),
            churn=chance.choice([0.0, 12.5]),
            churn_from=chance.choice([0.0, 0.05]),
            churn_to=chance.choice([0.0, 50.0]),
            noise_scale=chance.choice([1.0, 1.003]),
        ),
    )


def test_each_value_of_a_request_has_a_control(form: Form[Txt2Img]) -> None:
    assert form.paths == set(leaf_paths(Txt2Img))


def test_what_is_written_is_read_again(form: Form[Txt2Img]) -> None:
    names = {control: name for name, control in form.inputs().items()}
    chance = random.Random(1)
    for _ in range(200):
        request = some_request(chance)
        shown = {names[control]: update["value"] for control, update in form.write(request).items()}
        assert form.read(shown) == request


def test_sliders_have_the_schemas_bounds_and_defaults(form: Form[Txt2Img]) -> None:
    for path in ("sampling.steps", "sampling.guidance_scale", "width", "height", "batch_count", "batch_size"):
        slider = form.control(path)
        assert isinstance(slider, gr.Slider)
        assert (slider.minimum, slider.maximum) == bounds(field_at(Txt2Img, path))
    steps, width = form.control("sampling.steps"), form.control("width")
    assert (steps.value, width.step) == (20, 8)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("values", "path", "label"),
    [
        ({"steps": 151}, "sampling.steps", "Steps"),
        ({"width": 130}, "width", "Width"),
        ({"seed": -7}, "seed", "Seed"),
        ({"guidance_scale": 0.5}, "sampling.guidance_scale", "CFG scale"),
        ({"batch_size": 2.5}, "batch_size", "Batch size"),
        ({"prompt": "x" * 20_001}, "prompt", "Prompt"),
        ({"eta": 2}, "stochastic.eta", "Eta"),
        ({"variation_strength": -0.1}, "seeding.variation_strength", "Variation strength"),
    ],
)
def test_a_wrong_value_is_refused_by_its_controls_name(
    form: Form[Txt2Img], values: dict[str, object], path: str, label: str
) -> None:
    with pytest.raises(InvalidRequest, match=f"^{label}: ") as refused:
        form.read(values)
    assert refused.value.field == path


def test_a_control_that_was_emptied_means_the_schemas_default(form: Form[Txt2Img]) -> None:
    assert form.read({"seed": None, "steps": None}) == Txt2Img()


def test_handlers_have_named_optional_parameters(form: Form[Txt2Img]) -> None:
    handler = form.handler(lambda values: iter([values]))
    parameters = inspect.signature(handler).parameters
    assert set(parameters) == set(form.inputs())
    assert (parameters["steps"].default, parameters["guidance_scale"].default) == (20, 7.0)
    assert list(handler(steps=3)) == [{"steps": 3}]


def test_a_control_for_nothing_in_the_schema_is_a_mistake(form: Form[Txt2Img]) -> None:
    with pytest.raises(KeyError):
        form.add("sampling.nothing", gr.Textbox(render=False))


def test_style_and_locales_are_there() -> None:
    assert (Path(translator.__code__.co_filename).parent / "style.css").is_file()
    assert translator("tr")("Generate") != "Generate"
    assert translator("en")("Generate") == "Generate"
