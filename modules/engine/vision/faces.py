"""Faces found, turned upright, drawn anew by a model, and laid back into the picture.

Restorers know faces of 512 pixels whose eyes, nose and mouth lie where those of FFHQ do
(https://arxiv.org/abs/1812.04948).
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import cv2
import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file

from modules.catalog.checkpoints import Catalog
from modules.catalog.faces import Restorer
from modules.engine.devices import Hardware
from modules.engine.vision.foreign_models import describe_foreign
from modules.schema.errors import UnusableFile
from modules.schema.requests import Faces
from modules.schema.results import UsedFile

SIDE = 512

TEMPLATE = np.array(
    [[192.98, 239.95], [318.90, 240.19], [256.63, 314.02], [201.26, 371.41], [313.09, 371.15]], np.float64
)
"""Where the eyes, the nose and the corners of the mouth are, left ones first, in a face of 512 pixels."""

FEATHER = 32
"""Pixels of the square's border over which a face fades into its picture."""

SURE = 0.6
"""YuNet's confidence from which on something is a face."""

Points: TypeAlias = np.ndarray
"""[5, 2] in pixels, in the order of the template."""

Find: TypeAlias = Callable[[Image.Image], Sequence[Points]]
Draw: TypeAlias = Callable[[Image.Image], Image.Image]


class FaceModels:
    """The models that restore faces, in memory once they were used."""

    def __init__(self, catalog: Catalog, hardware: Hardware) -> None:
        self._catalog, self._hardware = catalog, hardware
        self._loaded: dict[Path, Any] = {}

    def record(self, faces: Faces) -> tuple[UsedFile, ...]:
        """The files that a request asks for. Raises UnusableFile when one is missing."""
        needed = self._catalog.faces.needed(faces)
        paths = [path for _, path in needed] + ([self._catalog.faces.detector()] if needed else [])
        hashes = self._catalog.hashes
        return tuple(UsedFile(kind="face model", name=path.name, sha256=hashes.sha256(path)) for path in paths)

    def restorers(self, faces: Faces) -> list[tuple[float, Draw]]:
        """(how much of it is seen, what draws a face) for each that is asked for."""
        return [
            (getattr(faces, which), self._drawer(which, path, faces.codeformer_weight))
            for which, path in self._catalog.faces.needed(faces)
        ]

    def find(self, image: Image.Image) -> list[Points]:
        """The faces in a picture, by their eyes, nose and corners of the mouth."""
        detector = cv2.FaceDetectorYN.create(str(self._catalog.faces.detector()), "", image.size, SURE)
        _, found = detector.detect(np.asarray(image)[..., ::-1].copy())
        return [] if found is None else [row[4:14].reshape(5, 2).astype(np.float64) for row in found]

    def unload(self) -> None:
        """Give the memory back."""
        self._loaded.clear()

    def _drawer(self, which: Restorer, path: Path, weight: float) -> Draw:
        if path not in self._loaded:
            descriptor = describe_foreign(path.name, load_file(path))
            if descriptor.purpose != "FaceSR":
                raise UnusableFile(
                    f"{path.name}: This is a {descriptor.architecture.name} model, which draws no faces."
                )
            self._loaded[path] = descriptor.model.eval().requires_grad_(False)
        model = self._loaded[path]
        # GFPGAN would add noise that no seed decides
        options = {"weight": weight} if which == "codeformer" else {"randomize_noise": False}

        def draw(face: Image.Image) -> Image.Image:
            with self._hardware.hosting(model), torch.inference_mode():
                pixels = torch.tensor(np.asarray(face), device=self._hardware.device).float() / 127.5 - 1
                drawn = model(pixels.permute(2, 0, 1)[None], **options)[0]
            values = ((drawn[0].float().clamp(-1, 1) + 1) * 127.5).round().byte()
            return Image.fromarray(values.permute(1, 2, 0).cpu().numpy())

        return draw


def restore_faces(image: Image.Image, faces: Faces, models: FaceModels) -> Image.Image:
    """The picture with its faces restored as the request says; itself where nothing is asked for."""
    for visible, draw in models.restorers(faces):
        image = Image.blend(image, redrawn(image, models.find(image), draw), visible)
    return image


def redrawn(image: Image.Image, found: Sequence[Points], draw: Draw) -> Image.Image:
    """The picture (RGB) with each face taken out upright at 512 pixels, drawn, and laid back in."""
    mask = Image.new("L", (SIDE, SIDE))
    mask.paste(255, (FEATHER, FEATHER, SIDE - FEATHER, SIDE - FEATHER))
    soft = cv2.GaussianBlur(np.asarray(mask), (0, 0), FEATHER / 3)
    pixels = np.asarray(image).astype(np.float32)
    for points in found:
        turn = upright(points)
        face = Image.fromarray(cv2.warpAffine(np.asarray(image), turn, (SIDE, SIDE), flags=cv2.INTER_CUBIC))
        back = {"M": cv2.invertAffineTransform(turn), "dsize": image.size, "flags": cv2.INTER_LINEAR}
        drawn = cv2.warpAffine(np.asarray(draw(face)), **back).astype(np.float32)
        share = cv2.warpAffine(soft, **back).astype(np.float32)[..., None] / 255
        pixels = pixels * (1 - share) + drawn * share
    return Image.fromarray(np.clip(np.rint(pixels), 0, 255).astype(np.uint8))


def upright(points: Points) -> np.ndarray:
    """The turn, scale and shift [2, 3] that brings a face's points closest to the template's, by least squares."""
    rows = [([x, -y, 1, 0], [y, x, 0, 1]) for x, y in points]
    (a, b, right, down), *_ = np.linalg.lstsq(np.array(rows).reshape(-1, 4), TEMPLATE.reshape(-1), rcond=None)
    return np.array([[a, -b, right], [b, a, down]])
