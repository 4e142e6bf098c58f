"""/sdapi/v1 as the ecosystem's programs use it, over the fake engine and the real catalog."""

import base64
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from PIL import Image
from starlette.testclient import TestClient

from modules.api.app import attach
from modules.api.sdapi_models import checkpoint_name, checkpoint_title
from modules.catalog.checkpoints import Catalog
from modules.catalog.resolving import Resolver
from modules.engine import builtin
from modules.jobs.inline import InlineBackend
from modules.jobs.service import Jobs
from modules.plugins.loading import Plugins
from modules.schema.events import Progress, Stop
from modules.settings import REPOSITORY, Settings
from modules.storage.archive import Archive
from tests.fakes import FakeEngine, build_nothing, paint
from tests.waiting import Background, wait_until

DEMO = REPOSITORY / "models" / "Stable-diffusion" / "demo.safetensors"

INFO_KEYS = {
    "prompt", "all_prompts", "negative_prompt", "all_negative_prompts", "seed", "all_seeds", "subseed", "all_subseeds",
    "subseed_strength", "width", "height", "sampler_name", "cfg_scale", "steps", "batch_size", "restore_faces",
    "face_restoration_model", "sd_model_name", "sd_model_hash", "sd_vae_name", "sd_vae_hash", "seed_resize_from_w",
    "seed_resize_from_h", "denoising_strength", "extra_generation_params", "index_of_first_image", "infotexts",
    "styles", "job_timestamp", "clip_skip", "is_using_inpainting_conditioning", "version",
}  # fmt: skip

WEBUIAPI_BODY = {
    "enable_hr": False, "hr_scale": 2, "hr_upscaler": "Latent", "hr_second_pass_steps": 0, "hr_resize_x": 0,
    "hr_resize_y": 0, "denoising_strength": 0.7, "firstphase_width": 0, "firstphase_height": 0, "prompt": "a cube",
    "styles": [], "seed": 41, "subseed": -1, "subseed_strength": 0.0, "seed_resize_from_h": 0, "seed_resize_from_w": 0,
    "batch_size": 1, "n_iter": 1, "steps": 2, "cfg_scale": 7.0, "width": 64, "height": 64, "restore_faces": False,
    "tiling": False, "do_not_save_samples": False, "do_not_save_grid": False, "negative_prompt": "", "eta": 1.0,
    "s_churn": 0, "s_tmax": 0, "s_tmin": 0, "s_noise": 1, "override_settings": {},
    "override_settings_restore_afterwards": True, "sampler_name": "Euler a", "sampler_index": "Euler a",
    "scheduler": "automatic", "script_name": None, "script_args": [], "send_images": True, "save_images": False,
    "alwayson_scripts": {},
}  # fmt: skip
"""What webuiapi sends."""


class Program:
    """The running program's parts, and a client."""

    def __init__(self, folder: Path, build: Any = FakeEngine) -> None:
        self.settings = Settings(data_dir=folder)
        if not self.settings.checkpoints.exists():
            (self.settings.checkpoints / "more").mkdir(parents=True)
            for name in ("demo.safetensors", "more/other.safetensors"):
                (self.settings.checkpoints / name).symlink_to(DEMO)
            (self.settings.checkpoints / "broken.safetensors").touch()
        self.catalog, plugins = Catalog(self.settings), Plugins(self.settings, [builtin])
        resolve = Resolver(self.catalog, plugins.samplers(), plugins.schedules())
        self.jobs = Jobs(InlineBackend(build), Archive(self.settings, "serve"), resolve)
        self.jobs.start()
        app = FastAPI()
        attach(app, self.jobs, self.catalog, plugins)
        self.client = TestClient(app)

    def txt2img(self, **body: Any) -> Any:
        """POST txt2img with a small size and few steps, and the answer, which is to be good."""
        answer = self.client.post("/sdapi/v1/txt2img", json={"steps": 2, "width": 64, "height": 64, **body})
        assert answer.status_code == 200, answer.text
        return answer.json()

    def refusal(self, **body: Any) -> tuple[int, str]:
        """The status and the sentence with which a body is refused."""
        answer = self.client.post("/sdapi/v1/txt2img", json={"steps": 2, **body})
        content = answer.json()
        assert set(content) == {"error", "detail", "body", "errors"}
        assert content["detail"].endswith(".")
        return answer.status_code, content["detail"]

    def get(self, name: str) -> Any:
        answer = self.client.get(f"/sdapi/v1/{name}")
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Program]:
    program = Program(tmp_path)
    with program.client:
        yield program
    program.jobs.close()


@pytest.fixture
def hold(tmp_path: Path) -> Iterator[Path]:
    """A file that keeps the fake engine waiting when a prompt says hold:FILE."""
    file = tmp_path / "hold"
    file.touch()
    yield file
    file.unlink(missing_ok=True)


def opened(image: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(image, validate=True)))


def test_an_empty_body_paints_with_the_defaults(program: Program) -> None:
    answer = program.client.post("/sdapi/v1/txt2img", json={})
    assert answer.status_code == 200
    info = json.loads(answer.json()["info"])
    assert (info["width"], info["height"]) == (128, 128)  # the demo checkpoint's own size
    assert (info["steps"], info["cfg_scale"]) == (20, 7.0)
    assert info["sampler_name"] == "Euler"
    assert len(answer.json()["images"]) == 1


def test_pictures_are_png_files_in_base64_with_their_parameters(program: Program) -> None:
    answer = program.txt2img(prompt="a red cube", negative_prompt="blur", seed=7)
    with opened(answer["images"][0]) as image:
        assert image.format == "PNG"
        assert image.tobytes() == paint(7).pixels
        parameters = image.info["parameters"]
    assert parameters.startswith("a red cube\nNegative prompt: blur\nSteps: 2, Sampler: Euler,")
    assert json.loads(answer["info"])["infotexts"] == [parameters]


def test_info_is_json_in_a_string_with_all_that_clients_read(program: Program) -> None:
    answer = program.txt2img(prompt="çay", negative_prompt="blur", seed=7, sampler_name="Euler a", cfg_scale=5.5)
    assert isinstance(answer["info"], str)
    info = json.loads(answer["info"])
    assert set(info) >= INFO_KEYS
    assert info["prompt"] == "çay"
    assert info["all_negative_prompts"] == ["blur"]
    assert (info["seed"], info["all_seeds"], info["sampler_name"], info["cfg_scale"]) == (7, [7], "Euler a", 5.5)
    assert (info["sd_model_name"], info["sd_model_hash"]) == ("demo", "0123456789")


def test_there_are_n_iter_times_batch_size_pictures_with_growing_seeds(program: Program) -> None:
    answer = program.txt2img(n_iter=2, batch_size=3, seed=100)
    info = json.loads(answer["info"])
    assert info["all_seeds"] == [100, 101, 102, 103, 104, 105]
    assert info["all_prompts"] == [""] * 6
    for image, seed in zip(answer["images"], info["all_seeds"], strict=True):
        with opened(image) as picture:
            assert picture.tobytes() == paint(seed).pixels


@pytest.mark.parametrize("seed", [-1, -5, None])
def test_a_seed_below_zero_or_none_is_chosen_and_told(program: Program, seed: int | None) -> None:
    info = json.loads(program.txt2img(seed=seed)["info"])
    assert info["seed"] >= 0
    assert f"Seed: {info['seed']}" in info["infotexts"][0]


def test_a_variation_keeps_the_seed_and_counts_its_own(program: Program) -> None:
    answer = program.txt2img(seed=9, subseed=5, subseed_strength=0.3, batch_size=2)
    info = json.loads(answer["info"])
    assert (info["all_seeds"], info["all_subseeds"], info["subseed_strength"]) == ([9, 9], [5, 6], 0.3)
    assert "Variation seed: 6, Variation seed strength: 0.3" in info["infotexts"][1]


def test_a_random_variation_seed_is_chosen_and_told(program: Program) -> None:
    info = json.loads(program.txt2img(seed=9, subseed=-1, subseed_strength=0.3)["info"])
    assert info["subseed"] >= 0
    assert f"Variation seed: {info['subseed']}," in info["infotexts"][0]


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"seed_resize_from_w": 515, "seed_resize_from_h": 64}, "Seed resize from: 512x64"),
        ({"override_settings": {"randn_source": "NV"}}, "RNG: NV"),
        ({"override_settings": {"eta_noise_seed_delta": 31337}}, "ENSD: 31337"),
        ({"sampler_name": "Euler a", "eta": 0.5}, "Eta: 0.5"),
        ({"sampler_name": "Euler a", "override_settings": {"eta_ancestral": 0.4, "eta_ddim": 0.2}}, "Eta: 0.4"),
        ({"sampler_name": "DDIM", "override_settings": {"eta_ancestral": 0.4, "eta_ddim": 0.2}}, "Eta DDIM: 0.2"),
        ({"sampler_name": "DDIM", "eta": 1.0}, "Eta DDIM: 1.0"),
        (
            {"sampler_name": "Heun", "s_churn": 3, "s_tmin": 0.1, "s_tmax": 5},
            "Sigma churn: 3.0, Sigma tmin: 0.1, Sigma tmax: 5.0",
        ),
        ({"sampler_name": "DPM2 a", "override_settings": {"s_noise": 1.01}}, "Sigma noise: 1.01"),
        ({"sampler_name": "Heun", "s_churn": 3, "override_settings": {"s_churn": 4}}, "Sigma churn: 3.0"),
    ],
)
def test_what_clients_set_about_chance_acts_and_is_told(program: Program, body: dict[str, Any], named: str) -> None:
    assert f", {named}, " in json.loads(program.txt2img(**body)["info"])["infotexts"][0]


@pytest.mark.parametrize(
    "body",
    [
        {"seed_resize_from_w": -1, "seed_resize_from_h": -1},
        {"subseed": 5},
        {"sampler_name": "Euler a", "eta": 1.0},
        {"sampler_name": "DPM++ 2M", "eta": 0.5, "s_churn": 3},
        {"s_churn": 0, "s_tmax": 0, "s_tmin": 0, "s_noise": 1},
    ],
)
def test_what_makes_no_difference_is_not_told(program: Program, body: dict[str, Any]) -> None:
    infotext = json.loads(program.txt2img(**body)["info"])["infotexts"][0]
    assert not any(word in infotext for word in ("Variation", "resize", "Eta", "Sigma"))


def test_the_body_of_webuiapi_is_taken_and_unknown_fields_are_ignored(program: Program) -> None:
    answer = program.txt2img(**WEBUIAPI_BODY, some_extensions_field={"args": [1]})
    info = json.loads(answer["info"])
    assert (info["seed"], info["sampler_name"]) == (41, "Euler a")
    assert info["extra_generation_params"] == {"Schedule type": "Automatic"}
    assert answer["parameters"]["prompt"] == "a cube"
    assert answer["parameters"]["steps"] == 2


@pytest.mark.parametrize(
    ("body", "sampler", "schedule"),
    [
        ({"sampler_name": "DPM++ 2M Karras"}, "DPM++ 2M", "Karras"),
        ({"sampler_name": "dpm++ 2m karras"}, "DPM++ 2M", "Karras"),
        ({"sampler_name": "DPM++ 2M Karras", "scheduler": "automatic"}, "DPM++ 2M", "Karras"),
        ({"sampler_name": "DPM++ 2M Karras", "scheduler": "exponential"}, "DPM++ 2M", "Exponential"),
        ({"sampler_name": "DPM++ 2M Exponential"}, "DPM++ 2M", "Exponential"),
        ({"sampler_name": "k_euler_a", "scheduler": "karras"}, "Euler a", "Karras"),
        ({"sampler_index": "UniPC"}, "UniPC", "Automatic"),
        ({"sampler_name": "DPM++ 2M SDE Heun Karras"}, "DPM++ 2M SDE Heun", "Karras"),
        ({"sampler_name": None, "scheduler": None}, "Euler", "Automatic"),
    ],
)
def test_samplers_are_understood_as_old_and_new_clients_spell_them(
    program: Program, body: dict[str, Any], sampler: str, schedule: str
) -> None:
    info = json.loads(program.txt2img(**body)["info"])
    assert info["sampler_name"] == sampler
    assert info["extra_generation_params"]["Schedule type"] == schedule


@pytest.mark.parametrize(
    ("body", "naming"),
    [
        ({"sampler_name": "Euler z"}, "'Euler z'"),
        ({"scheduler": "sideways"}, "'sideways'"),
        ({"override_settings": {"sd_model_checkpoint": "lost"}}, "'lost'"),
        ({"override_settings": {"sd_model_checkpoint": "broken.safetensors"}}, "broken.safetensors"),
    ],
)
def test_what_is_not_there_or_not_usable_is_refused_with_400_and_its_name(
    program: Program, body: dict[str, Any], naming: str
) -> None:
    status, sentence = program.refusal(**body)
    assert status == 400
    assert naming in sentence


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"steps": 0}, "steps"),
        ({"steps": 151}, "steps"),
        ({"width": 65}, "width"),
        ({"height": 8192}, "height"),
        ({"cfg_scale": 31}, "cfg_scale"),
        ({"n_iter": 101}, "n_iter"),
        ({"batch_size": 17}, "batch_size"),
        ({"seed": 2**32}, "seed"),
        ({"steps": "many"}, "steps"),
        ({"prompt": ["no", "text"]}, "prompt"),
        ({"subseed_strength": 2}, "subseed_strength"),
        ({"subseed": 2**32}, "subseed"),
        ({"seed_resize_from_w": 8192}, "seed_resize_from_w"),
        ({"eta": 3}, "eta"),
        ({"s_churn": -1}, "s_churn"),
        ({"override_settings": {"randn_source": "TPU"}}, "randn_source"),
    ],
)
def test_a_value_out_of_bounds_is_refused_with_422_and_the_clients_name_of_it(
    program: Program, body: dict[str, Any], field: str
) -> None:
    status, sentence = program.refusal(**body)
    assert status == 422
    assert sentence.startswith(f"{field}: ")


def test_pictures_are_saved_when_asked_for(program: Program) -> None:
    program.txt2img(seed=7)
    assert list(program.settings.outputs.glob("*/*/*.png")) == []
    answer = program.txt2img(seed=8, save_images=True)
    (saved,) = program.settings.outputs.glob("*/*/*.png")
    assert base64.b64encode(saved.read_bytes()).decode() == answer["images"][0]


def test_pictures_are_not_sent_when_not_asked_for(program: Program) -> None:
    answer = program.txt2img(seed=8, save_images=True, send_images=False)
    assert answer["images"] == []
    assert json.loads(answer["info"])["all_seeds"] == [8]


def test_override_settings_say_how_the_prompt_is_read(program: Program) -> None:
    settings = {"CLIP_stop_at_last_layers": 2, "emphasis": "No norm", "unknown": 1}
    info = json.loads(program.txt2img(prompt="(a:1.2)", override_settings=settings)["info"])
    assert info["clip_skip"] == 2
    assert "Clip skip: 2," in info["infotexts"][0]
    assert "Emphasis: No norm," in info["infotexts"][0]
    unset = {"CLIP_stop_at_last_layers": None, "emphasis": None}
    assert json.loads(program.txt2img(override_settings=unset)["info"])["clip_skip"] == 1


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"CLIP_stop_at_last_layers": 13}, "CLIP_stop_at_last_layers"),
        ({"CLIP_stop_at_last_layers": "many"}, "CLIP_stop_at_last_layers"),
        ({"emphasis": "Loud"}, "emphasis"),
    ],
)
def test_a_way_to_read_the_prompt_that_is_not_there_is_refused_by_name(
    program: Program, settings: dict[str, object], name: str
) -> None:
    answer = program.client.post("/sdapi/v1/txt2img", json={"override_settings": settings})
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith(f"{name}: ")


def test_each_pictures_own_words_are_told(program: Program) -> None:
    info = json.loads(program.txt2img(prompt="a {red|blue|green|pink} cube", batch_size=8, seed=1)["info"])
    assert len(set(info["all_prompts"])) > 1
    assert [text.split("\n")[0] for text in info["infotexts"]] == info["all_prompts"]
    assert all("Template: a {red|blue|green|pink} cube" in text for text in info["infotexts"])


def test_override_settings_choose_the_checkpoint_for_one_request(program: Program) -> None:
    def painted_with(**body: Any) -> str:
        return json.loads(program.txt2img(**body)["info"])["sd_model_name"]

    titles = [item["title"] for item in program.get("sd-models")]
    assert painted_with(override_settings={"sd_model_checkpoint": "more/other.safetensors"}) == "other"
    assert painted_with(override_settings={"sd_model_checkpoint": titles[1], "CLIP_stop_at_last_layers": 2}) == "other"
    assert painted_with() == "demo"
    assert program.get("options")["sd_model_checkpoint"] == titles[0]


def test_the_task_id_is_the_clients_and_taken_once_over_restarts_too(program: Program) -> None:
    assert program.txt2img(force_task_id="task(abc)")["task_id"] == "task(abc)"
    status, sentence = program.refusal(force_task_id="task(abc)")
    assert status == 409
    assert "task(abc)" in sentence
    again = Program(program.settings.data_dir)
    with again.client:
        assert again.refusal(force_task_id="task(abc)")[0] == 409
    again.jobs.close()


@pytest.mark.parametrize(("prompt", "naming"), [("fail", "told to fail"), ("bug", "ValueError")])
def test_a_failure_is_answered_with_500_and_its_reason(program: Program, prompt: str, naming: str) -> None:
    status, sentence = program.refusal(prompt=prompt)
    assert status == 500
    assert naming in sentence


def test_an_engine_that_cannot_start_is_answered_with_500_and_the_reason(tmp_path: Path) -> None:
    program = Program(tmp_path, build_nothing)
    with program.client:
        assert program.refusal() == (500, "The fake engine is not to be had.")
    program.jobs.close()


def test_a_job_that_is_stopped_is_answered_with_the_pictures_that_are_there(program: Program, hold: Path) -> None:
    answers: list[Any] = []
    request = Background(lambda: answers.append(program.txt2img(prompt=f"hold:{hold}", n_iter=3, force_task_id="me")))
    wait_until(lambda: program.jobs.running() is not None)
    program.jobs.stop("me", Stop.AFTER_PICTURE)
    hold.unlink()
    request.join()
    assert len(answers[0]["images"]) == 1


def test_progress_is_zero_when_nothing_runs(program: Program) -> None:
    program.txt2img()
    wait_until(lambda: program.jobs.running() is None)
    answer = program.get("progress")
    assert (answer["progress"], answer["eta_relative"], answer["current_image"]) == (0.0, 0.0, None)
    assert set(answer["state"]) == {
        "skipped", "interrupted", "stopping_generation", "job", "job_count", "job_timestamp", "job_no",
        "sampling_step", "sampling_steps",
    }  # fmt: skip
    assert answer["state"]["job_count"] == 0
    assert set(answer) >= {"progress", "eta_relative", "state", "current_image", "textinfo"}


def test_progress_tells_where_the_running_job_stands(program: Program, hold: Path) -> None:
    hold.unlink()
    body = {"prompt": f"slow hold:{hold}", "n_iter": 2, "batch_size": 2, "steps": 10, "force_task_id": "me"}
    request = Background(lambda: program.txt2img(**body))

    def in_second_batch() -> bool:
        latest = program.jobs.latest("me") if program.jobs.knows("me") else None
        return isinstance(latest, Progress) and latest.picture == 2 and latest.step > 0

    wait_until(in_second_batch)
    hold.touch()
    answer = program.get("progress")
    assert 0.5 < answer["progress"] <= 1.0
    assert answer["eta_relative"] == 1.5
    state = answer["state"]
    assert (state["job"], state["job_count"], state["job_no"], state["sampling_steps"]) == ("me", 2, 1, 10)
    assert 1 <= state["sampling_step"] <= 10
    assert base64.b64decode(answer["current_image"]) == b"a small JPEG"
    assert answer["textinfo"] == "Painting"
    assert program.get("progress?skip_current_image=true")["current_image"] is None
    hold.unlink()
    request.join()


class SlowlyPrepared(FakeEngine):
    """An engine that is ready when the test says so."""

    def __init__(self, hold: Path) -> None:
        wait_until(lambda: not hold.exists())


def test_progress_is_not_zero_while_the_engine_starts_for_a_job(tmp_path: Path, hold: Path) -> None:
    """Clients take 0 for "ready"."""
    program = Program(tmp_path, lambda: SlowlyPrepared(hold))
    with program.client:
        request = Background(lambda: program.txt2img(n_iter=2))
        wait_until(lambda: program.jobs.running() is not None)
        answer = program.get("progress")
        assert answer["progress"] > 0
        assert answer["state"]["job_count"] == 2
        hold.unlink()
        request.join()
    program.jobs.close()


def test_requests_that_wait_for_their_pictures_keep_nobody_else_waiting(program: Program, hold: Path) -> None:
    crowd = [Background(lambda: program.txt2img(prompt=f"hold:{hold}", steps=1)) for _ in range(60)]
    wait_until(lambda: len(program.jobs.waiting()) == 59)
    asked: list[Any] = []
    Background(lambda: asked.append(program.get("samplers"))).join(10)
    assert asked[0]
    hold.unlink()
    for request in crowd:
        request.join()


def test_samplers_have_names_aliases_and_options_of_strings(program: Program) -> None:
    samplers = program.get("samplers")
    assert [set(sampler) for sampler in samplers] == [{"name", "aliases", "options"}] * len(samplers)
    assert {"Euler", "Euler a", "DPM++ 2M", "DDIM"} <= {sampler["name"] for sampler in samplers}
    assert next(sampler for sampler in samplers if sampler["name"] == "Euler a")["aliases"][0] == "k_euler_a"
    assert all(isinstance(value, str) for sampler in samplers for value in sampler["options"].values())


def test_schedulers_have_names_and_labels_and_begin_with_automatic(program: Program) -> None:
    schedulers = program.get("schedulers")
    keys = {"name", "label", "aliases", "default_rho", "need_inner_model"}
    assert [set(scheduler) for scheduler in schedulers] == [keys] * len(schedulers)
    labels = {scheduler["name"]: scheduler["label"] for scheduler in schedulers}
    assert next(iter(labels.items())) == ("automatic", "Automatic")
    assert labels["karras"] == "Karras"


def test_each_sampler_and_each_scheduler_that_is_listed_can_be_asked_for(program: Program) -> None:
    for sampler in program.get("samplers"):
        assert json.loads(program.txt2img(sampler_name=sampler["name"])["info"])["sampler_name"] == sampler["name"]
    for scheduler in program.get("schedulers"):
        for spelling in (scheduler["name"], scheduler["label"]):
            info = json.loads(program.txt2img(scheduler=spelling)["info"])
            assert info["extra_generation_params"]["Schedule type"] == scheduler["label"]


def test_models_are_listed_without_those_that_cannot_be_used(program: Program) -> None:
    models = program.get("sd-models")
    assert [set(model) for model in models] == [{"title", "model_name", "hash", "sha256", "filename", "config"}] * 2
    assert [model["model_name"] for model in models] == ["demo", "other"]
    assert Path(models[0]["filename"]).is_file()
    assert (models[0]["title"], models[0]["hash"], models[0]["sha256"]) == ("demo.safetensors", None, None)


def test_models_tell_their_hash_once_it_is_known(program: Program) -> None:
    digest = program.catalog.hashes.sha256(program.settings.checkpoints / "demo.safetensors")
    model = program.get("sd-models")[0]
    assert (model["sha256"], model["hash"]) == (digest, digest[:10])
    assert model["title"] == f"demo.safetensors [{digest[:10]}]" == program.get("options")["sd_model_checkpoint"]


@pytest.mark.parametrize("name", ["demo.safetensors", "a [b].safetensors", "more/other.safetensors"])
@pytest.mark.parametrize("digest", [None, "0123456789abcdef"])
def test_a_title_leads_back_to_its_name(name: str, digest: str | None) -> None:
    assert checkpoint_name(checkpoint_title(name, digest)) == name


def test_options_name_the_default_checkpoint(program: Program) -> None:
    assert program.get("options") == {
        "sd_model_checkpoint": "demo.safetensors",
        "samples_format": "png",
        "CLIP_stop_at_last_layers": 1,
        "emphasis": "Original",
    }


def test_without_any_checkpoint_the_options_name_none(program: Program) -> None:
    for file in program.settings.checkpoints.rglob("*.safetensors"):
        file.unlink()
    assert program.get("options")["sd_model_checkpoint"] == ""
    assert program.get("sd-models") == []
    assert program.refusal()[0] == 400


# ---- png-info


def test_png_info_gives_the_text_the_other_texts_and_the_parts(program: Program) -> None:
    (image,) = program.txt2img(prompt="a barn", negative_prompt="rain", seed=5)["images"]
    for sent in (image, f"data:image/png;base64,{image}"):
        answer = program.client.post("/sdapi/v1/png-info", json={"image": sent}).json()
        assert answer["info"].startswith("a barn\nNegative prompt: rain\nSteps: 2, Sampler: Euler, ")
        assert json.loads(answer["items"]["kararli"])["seed"] == 5
        parameters = answer["parameters"]
        assert (parameters["Prompt"], parameters["Negative prompt"], parameters["Steps"]) == ("a barn", "rain", "2")
        assert (parameters["Size-1"], parameters["Size-2"], parameters["Clip skip"]) == ("64", "64", "1")


def test_png_info_of_a_picture_without_texts_is_empty(program: Program) -> None:
    file = io.BytesIO()
    Image.new("RGB", (4, 4)).save(file, "PNG")
    image = base64.b64encode(file.getvalue()).decode()
    answer = program.client.post("/sdapi/v1/png-info", json={"image": image})
    assert answer.json() == {"info": "", "items": {}, "parameters": {}}


@pytest.mark.parametrize(("image", "words"), [("no base64!", "is not base64"), ("aGVsbG8=", "no picture")])
def test_png_info_refuses_what_is_no_picture(program: Program, image: str, words: str) -> None:
    answer = program.client.post("/sdapi/v1/png-info", json={"image": image})
    assert answer.status_code == 400
    assert words in answer.json()["detail"]
