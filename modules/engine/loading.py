"""Catalog entry -> model in memory. Those that the job at hand needs are kept; loading another one frees the rest."""

import ctypes
import gc
import sys
from collections.abc import Callable, Collection, Iterable

import torch
from safetensors import SafetensorError, safe_open

from modules.catalog.architecture import canonical_names
from modules.catalog.checkpoints import Catalog, Checkpoint
from modules.catalog.embeddings import Embedding
from modules.engine.devices import Hardware
from modules.engine.families.sd1 import StableDiffusion1, Weights
from modules.engine.vision.describers import DescriberModels
from modules.engine.vision.faces import FaceModels
from modules.engine.vision.upscaler_models import UpscalerModels
from modules.schema.errors import UnusableFile
from modules.schema.results import CheckpointRecord, UsedFile

FAMILIES: dict[str, Callable[..., StableDiffusion1]] = {"sd1": StableDiffusion1}


class Models:
    """The checkpoints that are in memory."""

    def __init__(self, catalog: Catalog, hardware: Hardware) -> None:
        self.catalog, self.hardware = catalog, hardware
        self._models: dict[Checkpoint, StableDiffusion1] = {}
        self.upscalers = UpscalerModels(catalog, hardware)
        self.faces = FaceModels(catalog, hardware)
        self.describers = DescriberModels(catalog, hardware)

    def load(self, name: str, beside: Collection[str] = ()) -> StableDiffusion1:
        """The model of that checkpoint, read from disk if it is not in memory or has changed since.

        Of the others those are kept that are named in `beside`. Raises UnusableFile with the sentence that the catalog
        also shows.
        """
        checkpoint = self.catalog.find(name)
        if checkpoint not in self._models:
            self._free(keep=[other for other in self._models if other.name in beside and other.name != checkpoint.name])
            self._models[checkpoint] = self._load(checkpoint)
        return self._models[checkpoint]

    def record(self, name: str) -> CheckpointRecord:
        """Which weights stand behind a name."""
        checkpoint = self.catalog.find(name)
        try:
            return CheckpointRecord(name=checkpoint.name, sha256=self.catalog.hashes.sha256(checkpoint.path))
        except OSError as error:
            raise _vanished(checkpoint, error) from None

    def embeddings(self) -> list[Embedding]:
        """The learned words that prompts may name."""
        return self.catalog.embeddings.entries()

    def embedding_records(self, names: Iterable[str]) -> tuple[UsedFile, ...]:
        """Which files stand behind the names of embeddings."""
        paths = {entry.name: entry.path for entry in self.embeddings()}
        try:
            return tuple(
                UsedFile(kind="embedding", name=name, sha256=self.catalog.hashes.sha256(paths[name]))
                for name in sorted(names)
            )
        except (OSError, KeyError) as error:
            raise UnusableFile(
                f"A file in models/embeddings/ was moved or replaced while it was in use ({error}). Try again."
            ) from None

    def unload(self) -> None:
        """Give the memory back, to the operating system too."""
        self.upscalers.unload()
        self.faces.unload()
        self.describers.unload()
        self._free(keep=())

    def _free(self, keep: Collection[Checkpoint]) -> None:
        if all(checkpoint in keep for checkpoint in self._models):
            return
        self._models = {checkpoint: model for checkpoint, model in self._models.items() if checkpoint in keep}
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
        if trim is not None:  # glibc has it, musl has not
            trim(0)

    def _load(self, checkpoint: Checkpoint) -> StableDiffusion1:
        architecture = checkpoint.usable()
        try:
            return FAMILIES[architecture.family](architecture, _read_weights(checkpoint), self.hardware)
        except UnusableFile as error:
            raise UnusableFile(f"{checkpoint.name}: {error}") from None
        except (OSError, SafetensorError) as error:
            raise _vanished(checkpoint, error) from None


def _read_weights(checkpoint: Checkpoint) -> Weights:
    """The tensors by their names in the original layout, mapped from the file: bytes are read when they are used."""
    with safe_open(checkpoint.path, framework="pt", device="cpu") as file:
        return {canonical: file.get_tensor(name) for name, canonical in canonical_names(list(file.keys())).items()}


def _vanished(checkpoint: Checkpoint, error: Exception) -> UnusableFile:
    return UnusableFile(
        f"{checkpoint.name}: The file could not be read to its end ({error}). Was it moved or replaced? Refresh the"
        " list of checkpoints, or copy the file again."
    )
