"""Input pictures and videos on disk: each file once, under the SHA-256 of its bytes."""

import hashlib
import os
import uuid
from pathlib import Path

from modules.schema.errors import InvalidRequest
from modules.schema.film import film_facts
from modules.schema.media import digest_of, read_image


class Inputs:
    """The folder outputs/.inputs/. Requests refer to what lies there; workers get pictures' bytes with the job, and the
    place of videos.
    """

    def __init__(self, folder: Path, largest_film: int = 4096) -> None:
        """`largest_film` in MB."""
        self._folder, self.largest_film = folder, largest_film

    def add(self, data: bytes) -> str:
        """Keep a picture's file; the same one twice is kept once. Returns its digest.

        Raises InvalidRequest with a sentence when it is not a picture that can be used, OSError when the disk refuses.
        """
        read_image(data)
        digest = digest_of(data)
        path = self._folder / digest
        if not path.is_file():
            self._folder.mkdir(parents=True, exist_ok=True)
            temporary = self._folder / f".{uuid.uuid4().hex}.part"
            try:
                with temporary.open("wb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                temporary.replace(path)  # whoever was faster wrote the same bytes
            finally:
                temporary.unlink(missing_ok=True)
        return digest

    def add_film(self, source: Path) -> str:
        """Keep a video's file, copied piece by piece; the same one twice is kept once. Returns its digest.

        Raises InvalidRequest with a sentence when it is not a video that can be used, OSError when the disk refuses.
        """
        size = source.stat().st_size
        if size > self.largest_film * 2**20:
            raise InvalidRequest(
                f"The video has {size / 2**20:,.0f} MB; {self.largest_film:,} are the most. Cut it, or start with a"
                " larger --largest-video.",
                "videos",
            )
        film_facts(source)
        self._folder.mkdir(parents=True, exist_ok=True)
        temporary, digest = self._folder / f".{uuid.uuid4().hex}.part", hashlib.sha256()
        try:
            with source.open("rb") as old, temporary.open("wb") as new:
                while piece := old.read(2**20):
                    digest.update(piece)
                    new.write(piece)
                new.flush()
                os.fsync(new.fileno())
            path = self._folder / digest.hexdigest()
            if not path.is_file():
                temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        return digest.hexdigest()

    def path(self, digest: str) -> Path:
        """Where a file lies. Raises InvalidRequest when it is not there."""
        path = self._folder / digest
        if not digest or not path.is_file():
            raise InvalidRequest(
                f"The video {digest[:10]}... is not in {self._folder} (any more). Give the video again.", "videos"
            )
        return path

    def read(self, digest: str) -> bytes:
        """The file's bytes. Raises InvalidRequest when it is not there."""
        try:
            return (self._folder / digest).read_bytes()
        except OSError:
            raise InvalidRequest(
                f"The input picture {digest[:10]}... is not in {self._folder} (any more). Give the picture again.",
                "picture",
            ) from None
