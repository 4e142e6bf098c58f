"""Models that describe, in memory. Those that were used last stay there."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from modules.catalog.checkpoints import Catalog
from modules.catalog.describers import Describer
from modules.engine.devices import Hardware
from modules.schema.errors import UnusableFile
from modules.schema.results import UsedFile

if TYPE_CHECKING:
    from modules.engine.vision.interrogation import Blip, Clip
    from modules.engine.vision.timesformer import TimeSformer

KEPT = 2
"""Models that stay in memory: as many as one request asks."""

Model = TypeVar("Model")


class DescriberModels:
    """Loads the folders of models/TimeSformer/, models/CLIP/ and models/BLIP/.

    What reads them is imported at the first need: an engine that only paints starts sooner.
    """

    def __init__(self, catalog: Catalog, hardware: Hardware) -> None:
        self._catalog, self._hardware = catalog, hardware
        self._loaded: dict[Describer, Any] = {}

    def timesformer(self, name: str) -> "TimeSformer":
        """The model for videos of that name, read if it is not in memory or has changed. Raises UnusableFile."""
        from modules.engine.vision.timesformer import TimeSformer

        return self._load(self._catalog.video_models.find(name, "labels", "sentences"), TimeSformer)

    def clip(self, name: str) -> "Clip":
        """The CLIP of that name, the first one for "". Raises UnusableFile."""
        from modules.engine.vision.interrogation import Clip

        return self._load(self._catalog.picture_models.find(name, "clip"), Clip)

    def for_pictures(self, name: str) -> "tuple[Blip | None, Clip | None]":
        """What describes a picture: the model of that name, or for "" the first of each kind, where there is one."""
        from modules.engine.vision.interrogation import Blip, Clip

        entries = self._catalog.picture_models.entries("blip", "clip")
        named = [entry for entry in entries if entry.name == name] if name else entries
        kinds = {entry.kind: entry for entry in reversed(named)}
        blip, clip = kinds.get("blip"), kinds.get("clip")
        return self._load(blip, Blip) if blip else None, self._load(clip, Clip) if clip else None

    def record(self, entry: Describer) -> UsedFile:
        """Which weights stand behind a name. Raises UnusableFile when they are gone."""
        try:
            return UsedFile(kind="describing model", name=entry.name, sha256=self._catalog.hashes.sha256(entry.weights))
        except OSError as error:
            raise UnusableFile(
                f"{entry.name}: The file could not be read ({error}). Was it moved? Try again."
            ) from None

    def word_lists(self) -> list[tuple[str, tuple[str, ...]]]:
        """The lists that CLIP models choose from."""
        return self._catalog.word_lists()

    def unload(self) -> None:
        """Give the memory back."""
        self._loaded.clear()

    def _load(self, entry: Describer, kind: Callable[[Describer, Hardware], Model]) -> Model:
        model = self._loaded.pop(entry, None) or kind(entry, self._hardware)
        self._loaded[entry] = model
        while len(self._loaded) > KEPT:
            self._loaded.pop(next(iter(self._loaded)))
        return model
