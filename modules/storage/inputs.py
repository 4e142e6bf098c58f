"""Input pictures on disk: each file once, under the SHA-256 of its bytes."""

import os
import uuid
from pathlib import Path

from modules.schema.errors import InvalidRequest
from modules.schema.media import digest_of, read_image


class Inputs:
    """The folder outputs/.inputs/. Requests refer to what lies there; workers get the bytes with the job."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

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

    def read(self, digest: str) -> bytes:
        """The file's bytes. Raises InvalidRequest when it is not there."""
        try:
            return (self._folder / digest).read_bytes()
        except OSError:
            raise InvalidRequest(
                f"The input picture {digest[:10]}... is not in {self._folder} (any more). Give the picture again.",
                "picture",
            ) from None
