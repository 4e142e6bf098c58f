"""One program at a time serves a data folder: two would each take up the other's jobs."""

from filelock import FileLock, Timeout

from modules.schema.errors import KararliError
from modules.settings import Settings

FILE_NAME = ".serving"


def lock_outputs(settings: Settings) -> FileLock:
    """Hold the folder until the lock is released or the program ends, however it ends.

    Raises KararliError when another program holds it, or when the folder cannot be written.
    """
    file = settings.outputs / FILE_NAME
    try:
        settings.outputs.mkdir(parents=True, exist_ok=True)
        lock = FileLock(file)
        lock.acquire(blocking=False)
    except Timeout:
        raise KararliError(
            f"Another Kararli already serves the data folder {settings.data_dir}. Use that one, or start this one with"
            " --data-dir and a folder of its own."
        ) from None
    except OSError as error:
        raise KararliError(
            f"{settings.outputs} cannot be written ({error.strerror}). Check its permissions, or start with --data-dir"
            " and another folder."
        ) from None
    return lock
