"""What is used of Ray, which is optional and is loaded when it is needed."""

import importlib
import logging
import os
import socket
from pathlib import Path
from typing import Any

from modules.schema.errors import KararliError

MODULES = Path(__file__).resolve().parent.parent
"""Our code, which is sent to the cluster. What it reads, models/, must lie at the same place on those machines."""


class RayConnection:
    """A connection to the cluster that RAY_ADDRESS names, or that runs here already, or else is started here."""

    def __init__(self) -> None:
        self._ray: Any = None
        self._made_here = False

    def connect(self) -> None:
        """Load Ray and connect; one that this process has made elsewhere is used.

        Raises KararliError with what to do when it is impossible.
        """
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        try:
            self._ray = importlib.import_module("ray")
        except ImportError:
            raise KararliError(
                "The cluster backend needs Ray, which is not installed: install requirements-cluster.txt."
            ) from None
        if self._ray.is_initialized():
            return
        logging.getLogger("ray").setLevel(logging.ERROR)
        address = os.environ.get("RAY_ADDRESS", "")
        try:
            _knock(address)
            self._ray.init(
                include_dashboard=False,
                configure_logging=False,
                log_to_driver=False,
                runtime_env={"py_modules": [str(MODULES)]},
            )
        except (OSError, RuntimeError) as error:
            raise KararliError(
                f"There is no connection to the Ray cluster {address or 'on this machine'} ({first_sentence(error)})"
                " Start it, or set RAY_ADDRESS to one that runs."
            ) from None
        self._made_here = True

    def create(self, actor_class: type, *arguments: Any, groups: dict[str, int]) -> Any:
        """A new actor, on a machine with a GPU if the cluster has one. Calls of a group share its number of threads."""
        gpus = 1 if self._ray.cluster_resources().get("GPU", 0) >= 1 else 0
        made = self._ray.remote(concurrency_groups=groups)(actor_class)
        return made.options(num_cpus=1, num_gpus=gpus).remote(*arguments)

    def wait_for(self, reference: Any) -> Any:
        """A call's answer. Raises what Ray raises when there will be none."""
        return self._ray.get(reference)

    def kill(self, actor: Any) -> None:
        """End an actor, if there is one."""
        if actor is not None and self._ray.is_initialized():
            self._ray.kill(actor)

    def disconnect(self) -> None:
        """Leave the cluster, and end it if it was started here."""
        if self._made_here:
            self._ray.shutdown()
            self._made_here = False


def first_sentence(error: Exception) -> str:
    """What matters of Ray's errors, which are pages long."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip() and "\t" not in line]
    return (lines[-1] if lines else type(error).__name__).split(". ")[0].rstrip(".") + "."


def _knock(address: str) -> None:
    """Raise OSError when nobody listens at host:port. Ray itself would try for minutes."""
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if port.isdigit():
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()
