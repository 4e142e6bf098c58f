"""/kararli/v1 and /sdapi/v1/interrogate over the real engine."""

import base64
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from PIL import Image
from starlette.testclient import TestClient

from modules.api.app import attach
from modules.catalog.checkpoints import Catalog
from modules.engine import builtin
from modules.plugins.loading import Plugins
from tests.conftest import make_data_dir
from tests.engine import describing_models as made
from tests.engine.pictures import drawing, png
from tests.engine.tasks.test_caption import Program
from tests.films import ball, times_of, write_film


class Served(Program):
    """The program with a client."""

    def __init__(self, data_dir: Path) -> None:
        super().__init__(data_dir)
        app = FastAPI()
        attach(app, self.jobs, Catalog(self.settings), Plugins(self.settings, [builtin]))
        self.client = TestClient(app)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    served = Served(make_data_dir(tmp_path_factory.mktemp("data") / "data"))
    yield served
    served.jobs.close()


@pytest.fixture
def digest(served: Served, tmp_path: Path) -> str:
    film = write_film(tmp_path / "a.webm", ball, times_of(2, 10))
    answer = served.client.post("/kararli/v1/videos", content=film.read_bytes())
    assert answer.status_code == 200, answer.text
    assert answer.json()["seconds"] == pytest.approx(2, abs=0.02)
    assert (answer.json()["width"], answer.json()["height"]) == (96, 96)
    return answer.json()["digest"]


def test_a_video_that_was_sent_is_put_into_words(served: Served, digest: str) -> None:
    body = {"videos": [digest], "model": "tiny", "top": 2, "overlay": True, "viewing": {"window": 1}}
    answer = served.client.post("/kararli/v1/caption", json=body).json()
    [said] = answer["descriptions"]
    assert said["text"] in made.LABELS
    assert len(said["labels"]) == 2
    assert len(said["timeline"]) == 3
    assert Image.open(io.BytesIO(base64.b64decode(answer["frames"][0]))).size == (128, 32)
    assert base64.b64decode(answer["attention"][0])[4:8] == b"ftyp"
    assert not (served.settings.outputs / "caption").exists()
    served.client.post("/kararli/v1/caption", json={**body, "save": True})
    assert len(list((served.settings.outputs / "caption").rglob("*.json"))) == 1


def test_the_models_are_listed_with_their_licence(served: Served) -> None:
    models = served.client.get("/kararli/v1/video-models").json()
    assert {model["name"]: (model["kind"], model["frames"], model["licence"]) for model in models} == {
        "tiny": ("labels", 4, "cc-by-nc-4.0"),
        "writer": ("sentences", 4, ""),
    }


@pytest.mark.parametrize(
    ("path", "body", "status", "words"),
    [
        ("/kararli/v1/caption", {}, 400, "There is no video yet"),
        ("/kararli/v1/caption", {"videos": ["a" * 64], "model": "tiny"}, 500, "Give the video again"),
        ("/kararli/v1/caption", {"videos": ["../etc"]}, 422, "videos.0"),
        ("/kararli/v1/caption", {"top": 0}, 422, "top"),
        ("/kararli/v1/caption", {"viewing": {"start": 3, "end": 1}}, 422, "viewing"),
        ("/sdapi/v1/interrogate", {}, 404, "Image not found"),
        ("/sdapi/v1/interrogate", {"image": base64.b64encode(b"hello").decode()}, 400, "not a picture"),
    ],
)
def test_what_cannot_be_done_is_said(served: Served, path: str, body: dict[str, Any], status: int, words: str) -> None:
    answer = served.client.post(path, json=body)
    assert answer.status_code == status
    assert words in answer.json()["detail"]


def test_what_is_no_video_is_refused_and_leaves_nothing(served: Served) -> None:
    before = sorted(served.settings.inputs.iterdir()) if served.settings.inputs.exists() else []
    answer = served.client.post("/kararli/v1/videos", content=b"hello")
    assert answer.status_code == 400
    assert "not a video that can be read" in answer.json()["detail"]
    assert (sorted(served.settings.inputs.iterdir()) if served.settings.inputs.exists() else []) == before


@pytest.mark.parametrize("model", ["clip", "small clip", "deepdanbooru"])
def test_interrogate_answers_as_clients_expect(served: Served, model: str) -> None:
    body = {"image": "data:image/png;base64," + base64.b64encode(png(drawing())).decode(), "model": model}
    answer = served.client.post("/sdapi/v1/interrogate", json=body)
    assert answer.status_code == 200, answer.text
    assert list(answer.json()) == ["caption"]
    assert answer.json()["caption"].split(", ")[-1] in ("circle", "square star")
