"""Models of further architectures: what is asked of spandrel, and what is said when it has no answer.

spandrel itself needs torchvision and is not installed here; what stands in for it answers as its version 0.4 does.
"""

import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
import torch
from PIL import Image
from torch import nn

from modules.catalog.checkpoints import Catalog
from modules.catalog.faces import FaceFiles
from modules.catalog.upscalers import NEEDS_SPANDREL
from modules.engine.devices import Hardware
from modules.engine.vision.foreign_models import load_foreign
from modules.engine.vision.upscaler_models import UpscalerModels
from modules.schema.errors import UnusableFile
from modules.schema.requests import Faces
from modules.settings import Settings
from tests.engine import upscaler_weights as made

CPU = Hardware(torch.device("cpu"), torch.float32, "sdpa")


class Described(nn.Module):
    """A descriptor of a model that doubles pixels."""

    def __init__(self, purpose: str) -> None:
        super().__init__()
        self.model, self.purpose, self.scale, self.supports_half = nn.Identity(), purpose, 2, True
        self.input_channels = self.output_channels = 3
        self.architecture = SimpleNamespace(name="SwinIR")

    def forward(self, small: torch.Tensor) -> torch.Tensor:
        return made.nearest(small, 2)


@pytest.fixture
def spandrel(monkeypatch: pytest.MonkeyPatch):
    """Installs something that describes every file as a model for that purpose, or knows none."""

    def install(purpose: str) -> None:
        module = ModuleType("spandrel")
        module.__spec__ = ModuleSpec("spandrel", None)

        class ModelLoader:
            def __init__(self, device: torch.device) -> None:
                assert device.type == "cpu"

            def load_from_state_dict(self, weights: dict[str, torch.Tensor]) -> Described:
                if not purpose:
                    raise KeyError("unknown")
                return Described(purpose)

        module.ModelLoader = ModelLoader  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "spandrel", module)

    return install


def test_a_file_that_spandrel_knows_enlarges(spandrel, settings: Settings) -> None:
    spandrel("SR")
    made.save(settings.data_dir, "SwinIR", {"layers.0": torch.zeros(2)})
    image = Image.linear_gradient("L").resize((20, 10)).convert("RGB")
    upscaler = UpscalerModels(Catalog(settings), CPU).upscaler("SwinIR")
    assert upscaler.enlarge is not None
    large = upscaler.enlarge(image, 2.0)
    assert large.tobytes() == image.resize((40, 20), Image.Resampling.NEAREST).tobytes()


def test_a_model_for_something_else_is_refused(spandrel) -> None:
    spandrel("FaceSR")
    with pytest.raises(UnusableFile, match=r"^x: This is a SwinIR model for FaceSR"):
        load_foreign("x", {})


def test_a_model_that_spandrel_does_not_know_is_refused(spandrel) -> None:
    spandrel("")
    with pytest.raises(UnusableFile, match=r"^x: spandrel does not know this model \(KeyError\)"):
        load_foreign("x", {})


def test_without_spandrel_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modules.engine.vision.foreign_models.find_spec", lambda name: None)
    with pytest.raises(UnusableFile) as refused:
        load_foreign("x", {})
    assert str(refused.value) == f"x: {NEEDS_SPANDREL}"


def test_what_faces_take_is_found_where_it_is_to_lie(spandrel, tmp_path: Path) -> None:
    spandrel("FaceSR")
    files = FaceFiles(tmp_path)
    wanted = Faces(gfpgan=0.5)
    for folder, name, missing in (
        ("YuNet", "face_detection_yunet.onnx", "put OpenCV's YuNet"),
        ("GFPGAN", "GFPGANv1.4.safetensors", "put a GFPGAN model"),
    ):
        with pytest.raises(UnusableFile, match=missing):
            files.needed(wanted)
        (tmp_path / folder).mkdir()
        (tmp_path / folder / name).touch()
    assert files.needed(wanted) == [("gfpgan", tmp_path / "GFPGAN" / "GFPGANv1.4.safetensors")]
    assert files.needed(Faces()) == []
