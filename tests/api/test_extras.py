"""/sdapi/v1/extra-single-image and extra-batch-images, as clients send them, over the real engine."""

import base64
import io
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from starlette.testclient import TestClient

import webui
from modules.api.app import attach
from modules.catalog.checkpoints import Catalog
from modules.catalog.resolving import Resolver
from modules.catalog.upscaler_architecture import Compact
from modules.engine import builtin
from modules.jobs.inline import InlineBackend
from modules.jobs.service import Jobs
from modules.plugins.loading import Plugins
from modules.settings import Settings
from modules.storage.archive import Archive
from tests.engine import upscaler_weights as made
from tests.engine.pictures import drawing, png

WEBUIAPI_BODY = {
    "resize_mode": 0, "show_extras_results": True, "gfpgan_visibility": 0, "codeformer_visibility": 0,
    "codeformer_weight": 0, "upscaling_resize": 2, "upscaling_resize_w": 512, "upscaling_resize_h": 512,
    "upscaling_crop": True, "upscaler_1": "nearest-x2", "upscaler_2": "None", "extras_upscaler_2_visibility": 0,
    "upscale_first": False,
}  # fmt: skip
"""What webuiapi sends beside the pictures."""


class Program:
    """The running program's parts, and a client."""

    def __init__(self, data_dir: Path) -> None:
        self.settings = Settings(data_dir=data_dir)
        made.save(data_dir, "nearest-x2", made.silent(Compact(width=2, layers=1, scale=2, slopes=2)))
        made.save(data_dir, "sub/nearest-x3", made.silent(Compact(width=2, layers=1, scale=3, slopes=2)))
        (self.settings.upscalers / "broken.safetensors").touch()
        catalog, plugins = Catalog(self.settings), Plugins(self.settings, [builtin])
        archive = Archive(self.settings, "serve")
        resolve = Resolver(
            catalog, plugins.samplers(), plugins.schedules(), plugins.upscalers(), archive.inputs.read
        )  # fmt: skip
        self.jobs = Jobs(InlineBackend(partial(webui.build_engine, self.settings)), archive, resolve)
        self.jobs.start()
        app = FastAPI()
        attach(app, self.jobs, catalog, plugins)
        self.client = TestClient(app)

    def single(self, image: bytes, **body: Any) -> dict[str, Any]:
        sent = {**WEBUIAPI_BODY, "image": base64.b64encode(image).decode(), **body}
        answer = self.client.post("/sdapi/v1/extra-single-image", json=sent)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def refusal(self, endpoint: str = "extra-single-image", **body: Any) -> tuple[int, str]:
        sent = {**WEBUIAPI_BODY, "image": base64.b64encode(png(drawing())).decode(), **body}
        answer = self.client.post(f"/sdapi/v1/{endpoint}", json=sent)
        return answer.status_code, answer.json()["detail"]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    program = Program(tmp_path_factory.mktemp("data"))
    yield program
    program.jobs.close()


def opened(image: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(image, validate=True)))


def same(one: Image.Image, other: Image.Image) -> bool:
    return one.size == other.size and one.convert("RGB").tobytes() == other.tobytes()


def test_a_picture_comes_back_larger_with_its_parameters(program: Program) -> None:
    info, file = PngInfo(), io.BytesIO()
    info.add_text("parameters", "a red circle\nSteps: 4, Sampler: Euler, Seed: 3, Size: 128x128")
    drawing().save(file, "PNG", pnginfo=info)
    answer = program.single(file.getvalue())
    image = opened(answer["image"])
    assert same(image, drawing().resize((256, 256), Image.Resampling.NEAREST))
    assert image.info["parameters"] == (
        "a red circle\nSteps: 4, Sampler: Euler, Seed: 3, Size: 128x128, Postprocess upscale by: 2.0,"
        " Postprocess upscaler: nearest-x2"
    )
    assert "Postprocess upscaler: nearest-x2" in answer["html_info"]


def test_a_size_is_come_to_with_or_without_a_crop(program: Program) -> None:
    sides = {"resize_mode": 1, "upscaling_resize_w": 300, "upscaling_resize_h": 200}
    assert opened(program.single(png(drawing()), **sides)["image"]).size == (300, 200)
    assert opened(program.single(png(drawing()), **sides, upscaling_crop=False)["image"]).size == (300, 300)


def test_a_second_upscaler_is_mixed_in(program: Program) -> None:
    mixed = program.single(png(drawing()), upscaler_2="Lanczos", extras_upscaler_2_visibility=0.5)
    one, other = (drawing().resize((256, 256), how) for how in (Image.Resampling.NEAREST, Image.Resampling.LANCZOS))
    assert same(opened(mixed["image"]), Image.blend(one, other, 0.5))


@pytest.mark.parametrize("name", ["None", None])
def test_without_an_upscaler_the_picture_keeps_its_size(program: Program, name: str | None) -> None:
    assert same(opened(program.single(png(drawing()), upscaler_1=name)["image"]), drawing())


def test_a_list_comes_back_in_its_order_and_nothing_is_saved(program: Program) -> None:
    pictures = [drawing(colour=colour) for colour in ("red", "green", "yellow")]
    body = {
        **WEBUIAPI_BODY,
        "imageList": [
            {"data": "data:image/png;base64," + base64.b64encode(png(picture)).decode(), "name": f"{number}.png"}
            for number, picture in enumerate(pictures)
        ],
    }
    answer = program.client.post("/sdapi/v1/extra-batch-images", json=body)
    assert answer.status_code == 200, answer.text
    for image, picture in zip(answer.json()["images"], pictures, strict=True):
        assert same(opened(image), picture.resize((256, 256), Image.Resampling.NEAREST))
    assert not (program.settings.outputs / "upscale").exists()


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({"upscaler_1": "4x-Sharp"}, 400, "There is no upscaler '4x-Sharp'. Choose one of: None, Lanczos"),
        ({"upscaler_1": "broken"}, 400, "broken: The file is empty"),
        ({"upscaling_resize": 9}, 422, "scale: Input should be less than or equal to 8"),
        ({"resize_mode": 2}, 422, "resize_mode: "),
        ({"image": "###"}, 400, "picture"),
        ({"image": base64.b64encode(b"hello").decode()}, 400, "This file is not a picture"),
        ({"image": "http://example.com/x.png"}, 400, "addresses are not fetched"),
        ({"gfpgan_visibility": 0.5}, 400, "Faces cannot be restored"),
    ],
)
def test_what_cannot_be_done_is_said(program: Program, body: dict[str, Any], status: int, words: str) -> None:
    code, detail = program.refusal(**body)
    assert code == status
    assert words in detail


def test_an_empty_list_is_refused(program: Program) -> None:
    assert program.refusal("extra-batch-images", imageList=[]) == (400, "There is no picture to enlarge. Give one.")


def test_the_list_of_upscalers_has_the_usable_files_with_their_factors(program: Program) -> None:
    items = {item["name"]: item for item in program.client.get("/sdapi/v1/upscalers").json()}
    assert list(items) == ["None", "Lanczos", "Nearest", "nearest-x2", "sub/nearest-x3"]
    assert items["sub/nearest-x3"] == {
        "name": "sub/nearest-x3",
        "model_name": "nearest-x3",
        "model_path": str(program.settings.upscalers / "sub" / "nearest-x3.safetensors"),
        "model_url": None,
        "scale": 3,
    }
