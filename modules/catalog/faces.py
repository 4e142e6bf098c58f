"""What restoring faces takes: a model that draws them anew, what reads it, and one that finds them."""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from modules.catalog.files import model_files
from modules.schema.errors import UnusableFile
from modules.schema.requests import Faces

Restorer = Literal["gfpgan", "codeformer"]


@dataclass(frozen=True)
class Kind:
    """A restorer: its name, the folder of its files, and the package that reads them."""

    name: str
    folder: str
    package: str


KINDS: dict[Restorer, Kind] = {
    "gfpgan": Kind("GFPGAN", "GFPGAN", "spandrel"),
    "codeformer": Kind("CodeFormer", "Codeformer", "spandrel_extra_arches"),
}

DETECTOR = "YuNet"


class FaceFiles:
    """Finds the files in models/GFPGAN/, models/Codeformer/ and models/YuNet/."""

    def __init__(self, models: Path) -> None:
        self._models = models

    def restorer(self, which: Restorer) -> Path:
        """The model of that kind. Raises UnusableFile, saying what is missing."""
        kind = KINDS[which]
        if find_spec("spandrel") is None or find_spec(kind.package) is None:
            raise UnusableFile(
                f"Faces cannot be restored by {kind.name}: it is read through {kind.package}, which is not installed."
                " docs/engine.md tells how; or set it to 0."
            )
        return self._first(kind.folder, ".safetensors", f"a {kind.name} model (.safetensors)")

    def detector(self) -> Path:
        """OpenCV's YuNet. Raises UnusableFile when it is missing."""
        return self._first(DETECTOR, ".onnx", "OpenCV's YuNet (face_detection_yunet_....onnx), which finds faces,")

    def needed(self, faces: Faces) -> list[tuple[Restorer, Path]]:
        """The models that a request asks for, in the order of their work. Raises UnusableFile when one is missing."""
        wanted: list[Restorer] = [which for which in KINDS if getattr(faces, which) > 0]
        if wanted:
            self.detector()
        return [(which, self.restorer(which)) for which in wanted]

    def _first(self, folder: str, ending: str, what: str) -> Path:
        found = next(model_files(self._models / folder, ending), None)
        if found is None:
            raise UnusableFile(f"Faces cannot be restored: put {what} into {self._models / folder}.")
        return found
