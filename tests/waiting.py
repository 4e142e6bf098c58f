"""How tests wait for what happens elsewhere: for a condition, and not for ever."""

import threading
import time
from collections.abc import Callable


def wait_until(holds: Callable[[], object], seconds: float = 30.0) -> None:
    """Return as soon as the condition holds. Raises TimeoutError when it does not in time."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            raise TimeoutError(f"It did not happen within {seconds} s.")
        threading.Event().wait(0.005)


class Background:
    """A call in a thread of its own; its error, if any, is raised by join()."""

    def __init__(self, call: Callable[[], None]) -> None:
        self._call = call
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def join(self, seconds: float = 30.0) -> None:
        """Wait for the call's end."""
        self._thread.join(seconds)
        if self._thread.is_alive():
            raise TimeoutError(f"It did not end within {seconds} s.")
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            self._call()
        except BaseException as error:  # noqa: BLE001 - raised again by join()
            self._error = error
