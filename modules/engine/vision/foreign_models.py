"""Models of architectures that are not ours, read by spandrel where it is installed (requirements-upscalers.txt)."""

from importlib import import_module
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor, nn

from modules.catalog.upscalers import NEEDS_SPANDREL
from modules.schema.errors import UnusableFile

EXTRA = "spandrel_extra_arches"
"""Architectures under licences that do not allow every use; read where somebody has installed them."""


def load_foreign(name: str, weights: dict[str, Tensor], purposes: tuple[str, ...] = ("SR", "Restoration")) -> Any:
    """(network, scale) of a file's weights. Raises UnusableFile when nobody knows them, or they do something else."""
    descriptor = describe_foreign(name, weights)
    if descriptor.purpose not in purposes or descriptor.input_channels != 3 or descriptor.output_channels != 3:
        raise UnusableFile(
            f"{name}: This is a {descriptor.architecture.name} model for {descriptor.purpose}, which does not enlarge"
            " pictures in colour. Choose another upscaler."
        )
    return _Described(descriptor), int(descriptor.scale)


def describe_foreign(name: str, weights: dict[str, Tensor]) -> Any:
    """spandrel's descriptor of a file's weights. Raises UnusableFile with a sentence."""
    if find_spec("spandrel") is None:
        raise UnusableFile(f"{name}: {NEEDS_SPANDREL}")
    spandrel: Any = import_module("spandrel")
    if find_spec(EXTRA) is not None:
        extra: Any = import_module(EXTRA)
        extra.install(ignore_duplicates=True)
    try:
        return spandrel.ModelLoader(device=torch.device("cpu")).load_from_state_dict(weights)
    except Exception as error:  # noqa: BLE001 - whatever it raises over a file, the file is what is wrong
        raise UnusableFile(
            f"{name}: spandrel does not know this model ({type(error).__name__}). Look for another version of it."
        ) from None


class _Described(nn.Module):
    """A descriptor as a network, so that it moves between devices like ours. It pads and cuts by itself."""

    def __init__(self, descriptor: Any) -> None:
        super().__init__()
        self.model: nn.Module = descriptor.model
        self._descriptor = descriptor

    def forward(self, small: Tensor) -> Tensor:
        """The picture, larger; in half precision only where the architecture can."""
        half = self._descriptor.supports_half and torch.is_autocast_enabled("cuda")
        with torch.autocast("cuda", torch.float16, enabled=half):
            return self._descriptor(small)
