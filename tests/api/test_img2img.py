"""/sdapi/v1/img2img and hires fix, as clients send them, over the fake engine."""

import base64
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from PIL import Image
from starlette.testclient import TestClient

from modules.api.app import attach
from modules.catalog.checkpoints import Catalog
from modules.catalog.resolving import Resolver
from modules.engine import builtin
from modules.jobs.inline import InlineBackend
from modules.jobs.service import Jobs
from modules.plugins.loading import Plugins
from modules.schema.events import Job, Report
from modules.schema.media import digest_of
from modules.schema.requests import Hires, Img2Img, Inpaint, Masking, Refiner, Txt2Img
from modules.schema.results import Result
from modules.settings import Settings
from modules.storage.archive import Archive
from tests.engine.pictures import drawing, mask_of, png
from tests.fakes import FakeEngine

PICTURE, MASK = png(drawing()), png(mask_of((20, 20, 60, 60)))


def base64_of(data: bytes, prefix: str = "") -> str:
    return prefix + base64.b64encode(data).decode()


class Program:
    """The running program's parts, a client, and the jobs that came to the engine."""

    def __init__(self, data_dir: Path) -> None:
        settings, seen = Settings(data_dir=data_dir), []
        self.jobs_seen: list[Job] = seen

        class Remembering(FakeEngine):
            def run(self, job: Job, report: Report) -> Result:
                seen.append(job)
                return super().run(job, report)

        catalog, plugins, archive = Catalog(settings), Plugins(settings, [builtin]), Archive(settings, "serve")
        resolve = Resolver(
            catalog, plugins.samplers(), plugins.schedules(), plugins.upscalers(), archive.inputs.read
        )  # fmt: skip
        jobs = Jobs(InlineBackend(Remembering), archive, resolve)
        jobs.start()
        app = FastAPI()
        attach(app, jobs, catalog, plugins)
        self.client = TestClient(app)

    def post(self, endpoint: str, **body: Any) -> dict[str, Any]:
        answer = self.client.post(f"/sdapi/v1/{endpoint}", json={"steps": 2, "width": 64, "height": 64, **body})
        assert answer.status_code == 200, answer.text
        return answer.json()

    def refusal(self, **body: Any) -> tuple[int, str]:
        answer = self.client.post("/sdapi/v1/img2img", json=body)
        return answer.status_code, answer.json()["detail"]


@pytest.fixture
def program(data_dir: Path) -> Program:
    return Program(data_dir)


def test_a_picture_comes_to_the_engine_as_it_was_sent(program: Program) -> None:
    for prefix in ("", "data:image/png;base64,"):
        answer = program.post(
            "img2img", init_images=[base64_of(PICTURE, prefix)], denoising_strength=0.4, resize_mode=1
        )
        job = program.jobs_seen[-1]
        assert isinstance(job.request, Img2Img)
        assert (job.request.strength, job.request.resize_mode) == (0.4, "crop")
        assert job.inputs == {digest_of(PICTURE): PICTURE}
        assert len(answer["images"]) == 1
        assert answer["parameters"]["init_images"] is None


def test_pictures_are_sent_back_when_they_are_asked_for(program: Program) -> None:
    sent = base64_of(PICTURE)
    answer = program.post("img2img", init_images=[sent], include_init_images=True)
    assert answer["parameters"]["init_images"] == [sent]


def test_a_mask_makes_it_inpainting(program: Program) -> None:
    program.post(
        "img2img", init_images=[base64_of(PICTURE)], mask=base64_of(MASK), mask_blur=7, inpainting_fill=2,
        inpaint_full_res=0, inpaint_full_res_padding=12, inpainting_mask_invert=1, initial_noise_multiplier=1.1,
    )  # fmt: skip
    request = program.jobs_seen[-1].request
    assert isinstance(request, Inpaint)
    assert (request.mask, request.noise_multiplier) == (digest_of(MASK), 1.1)
    assert request.masking == Masking(blur=7, invert=True, content="latent noise", padding=12, own_size=False)


def test_what_is_not_sent_is_as_clients_expect_it(program: Program) -> None:
    program.post("img2img", init_images=[base64_of(PICTURE)], mask=base64_of(MASK))
    request = program.jobs_seen[-1].request
    assert isinstance(request, Inpaint)
    assert (request.strength, request.masking.content) == (0.75, "fill")
    assert (request.masking.only_masked, request.masking.padding, request.masking.blur) == (True, 0, 4)


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({}, 404, "Init image not found"),
        ({"init_images": []}, 404, "Init image not found"),
        ({"init_images": [base64_of(PICTURE)] * 2}, 422, "one picture"),
        ({"init_images": [base64_of(b"words")]}, 400, "not a picture"),
        ({"init_images": ["http://127.0.0.1/a.png"]}, 400, "not fetched"),
        ({"init_images": [base64_of(PICTURE)], "mask": base64_of(png(Image.new("L", (128, 128))))}, 400, "empty"),
        ({"init_images": [base64_of(PICTURE)], "denoising_strength": 2}, 422, "denoising_strength"),
        ({"init_images": [base64_of(PICTURE)], "resize_mode": 9}, 422, "resize_mode"),
    ],
)
def test_what_cannot_be_done_is_refused_with_a_sentence(
    program: Program, body: dict[str, Any], status: int, words: str
) -> None:
    answered, sentence = program.refusal(**body)
    assert answered == status
    assert words in sentence


def test_hires_fix_is_understood(program: Program) -> None:
    answer = program.post(
        "txt2img", enable_hr=True, hr_scale=1.5, hr_upscaler="Lanczos", hr_second_pass_steps=3, denoising_strength=0.5,
        hr_sampler_name="Euler a", hr_scheduler="Use same scheduler", hr_prompt="larger",
    )  # fmt: skip
    request = program.jobs_seen[-1].request
    assert isinstance(request, Txt2Img)
    assert request.hires == Hires(
        enabled=True, scale=1.5, upscaler="Lanczos", steps=3, strength=0.5, sampler="Euler a", prompt="larger"
    )
    assert '"denoising_strength": 0.5' in answer["info"]


def test_hires_fix_from_a_first_pass_and_a_refiner(program: Program) -> None:
    program.post(
        "txt2img", enable_hr=True, firstpass_image=base64_of(PICTURE), refiner_switch_at=0.6,
        refiner_checkpoint="demo.safetensors [abcdef0123]",
    )  # fmt: skip
    job = program.jobs_seen[-1]
    assert isinstance(job.request, Txt2Img)
    assert job.request.hires.first_pass == digest_of(PICTURE)
    assert job.inputs == {digest_of(PICTURE): PICTURE}
    assert job.request.hires.strength == 0.75
    assert job.request.refiner == Refiner(checkpoint="demo.safetensors", switch_at=0.6)


def test_upscalers_are_listed_by_what_they_work_on(program: Program) -> None:
    pixels = [entry["name"] for entry in program.client.get("/sdapi/v1/upscalers").json()]
    latents = [entry["name"] for entry in program.client.get("/sdapi/v1/latent-upscale-modes").json()]
    assert pixels == ["None", "Lanczos", "Nearest"]
    assert latents[0] == "Latent"
    assert len(latents) == 6
