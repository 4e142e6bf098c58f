"""Upscaler files in memory, and the pictures that go through them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch
from PIL import Image
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from modules.catalog.checkpoints import Catalog
from modules.catalog.upscaler_architecture import Foreign, UpscalerArchitecture, canonical_names
from modules.catalog.upscalers import UpscalerFile
from modules.engine.devices import Hardware
from modules.engine.vision.foreign_models import load_foreign
from modules.engine.vision.tiles import in_tiles, plan_tiles
from modules.engine.vision.upscaler_networks import build_network
from modules.schema.errors import UnusableFile
from modules.schema.requests import Tiles
from modules.schema.results import UsedFile
from modules.schema.upscaling import Upscaler

KEPT = 2
"""Models that stay in memory: as many as a request can mix."""

Tell: TypeAlias = Callable[[int, int], None]
"""Hears how many tiles of how many are done."""


def _unheard(_done: int, _of: int) -> None:
    """For those who do not want to know."""


@dataclass(frozen=True)
class UpscalerModel:
    """A network on its hardware, which makes pictures `scale` times larger."""

    network: nn.Module
    scale: int
    hardware: Hardware

    def __call__(self, image: Image.Image, tiles: Tiles, tell: Tell = _unheard) -> Image.Image:
        """The picture, larger, tile by tile. `tell` may raise to end it."""
        plan = plan_tiles(image.size, (tiles.tile, tiles.tile), tiles.overlap)
        done = 0

        def work(tile: np.ndarray) -> np.ndarray:
            nonlocal done
            result = self._whole(tile)
            done += 1
            tell(done, plan.count)
            return result

        with self.hardware.hosting(self.network):
            return Image.fromarray(in_tiles(np.asarray(image.convert("RGB")), plan, self.scale, work))

    def _whole(self, pixels: np.ndarray) -> np.ndarray:
        """A tile at once; in single precision where half of it overflows."""
        small = torch.tensor(pixels, device=self.hardware.device).permute(2, 0, 1)[None].float() / 255
        half = self.hardware.device.type == "cuda" and self.hardware.dtype != torch.float32
        with torch.inference_mode(), torch.autocast("cuda", torch.float16, enabled=half):
            large: Tensor = self.network(small)
        if half and not torch.isfinite(large).all():
            with torch.inference_mode():
                large = self.network(small)
        return np.ascontiguousarray(large[0].float().clamp(0, 1).permute(1, 2, 0).cpu().numpy())


class UpscalerModels:
    """Loads the files of models/ESRGAN/. Those that were used last stay in memory."""

    def __init__(self, catalog: Catalog, hardware: Hardware) -> None:
        self._catalog, self._hardware = catalog, hardware
        self._loaded: dict[UpscalerFile, UpscalerModel] = {}

    def upscaler(self, name: str, tiles: Tiles | None = None, tell: Tell | None = None) -> Upscaler:
        """The file of that name as an upscaler of pixels. Raises UnusableFile with a sentence."""
        model, tiles = self.load(name), tiles or Tiles()
        return Upscaler(name, lambda image, _factor: model(image, tiles, tell or _unheard), file=name)

    def load(self, name: str) -> UpscalerModel:
        """The model, read from disk if it is not in memory or has changed since. Raises UnusableFile."""
        file = self._file(name)
        model = self._loaded.pop(file, None) or self._read(file)
        self._loaded[file] = model
        while len(self._loaded) > KEPT:
            self._loaded.pop(next(iter(self._loaded)))
        return model

    def record(self, name: str) -> UsedFile:
        """Which file stands behind a name."""
        file = self._file(name)
        try:
            return UsedFile(kind="upscaler", name=file.name, sha256=self._catalog.hashes.sha256(file.path))
        except OSError as error:
            raise _vanished(file, error) from None

    def unload(self) -> None:
        """Give the memory back."""
        self._loaded.clear()

    def _file(self, name: str) -> UpscalerFile:
        file = self._catalog.upscalers.find(name)
        if file is None:
            folder = self._catalog.upscalers.folder
            raise UnusableFile(f"There is no upscaler {name!r} in {folder}. It was renamed or removed; choose another.")
        return file

    def _read(self, file: UpscalerFile) -> UpscalerModel:
        architecture = file.usable()
        try:
            weights = load_file(file.path)
        except (OSError, SafetensorError) as error:
            raise _vanished(file, error) from None
        network, scale = load_network(file.name, architecture, weights)
        return UpscalerModel(network.eval().requires_grad_(False), scale, self._hardware)


def load_network(name: str, architecture: UpscalerArchitecture, weights: dict[str, Tensor]) -> tuple[nn.Module, int]:
    """The network with its weights, in single precision, and how many times larger it makes pictures."""
    if isinstance(architecture, Foreign):
        return load_foreign(name, weights)
    network = build_network(architecture)
    names = canonical_names(weights)
    network.load_state_dict({ours: weights[theirs].float() for theirs, ours in names.items()})
    return network, architecture.scale


def _vanished(file: UpscalerFile, error: Exception) -> UnusableFile:
    return UnusableFile(
        f"{file.name}: The file could not be read to its end ({error}). Was it moved or replaced? Copy it again."
    )
