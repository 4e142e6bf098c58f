"""From the command to a page that answers, and to an engine that has painted (one step, 64 pixels).

    .venv/bin/python -m benchmarks.start [--rounds 5]

Each round starts ./webui.sh (installed already: the second start) on a data folder of its own.
"""

import argparse
import json
import os
import signal
import socket
import statistics
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path

from rich.console import Console
from rich.table import Table

REPOSITORY = Path(__file__).resolve().parent.parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    pages, engines = zip(*(one_start() for _ in range(parser.parse_args().rounds)), strict=True)
    table = Table(title="seconds from ./webui.sh")
    for column in ("to", "median", "fastest", "slowest"):
        table.add_column(column)
    for name, values in (("a page that answers", pages), ("an engine that has painted", engines)):
        table.add_row(name, *(f"{value:.1f}" for value in (statistics.median(values), min(values), max(values))))
    Console().print(table)


def one_start() -> tuple[float, float]:
    with tempfile.TemporaryDirectory() as folder, socket.socket() as probe:
        data = Path(folder)
        (data / "models").mkdir()
        (data / "models" / "Stable-diffusion").symlink_to(REPOSITORY / "models" / "Stable-diffusion")
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        start = time.perf_counter()
        server = subprocess.Popen(
            [str(REPOSITORY / "webui.sh"), "--port", str(port), "--data-dir", folder],
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            url = f"http://127.0.0.1:{port}/"
            wait_for_page(url)
            page = time.perf_counter() - start
            body = json.dumps({"prompt": "a red circle", "steps": 1, "width": 64, "height": 64}).encode()
            wait_for_answer(
                urllib.request.Request(f"{url}sdapi/v1/txt2img", body, {"Content-Type": "application/json"})
            )
            return page, time.perf_counter() - start
        finally:
            os.killpg(server.pid, signal.SIGTERM)
            server.wait()


def wait_for_page(url: str) -> None:
    wait_for_answer(urllib.request.Request(url))


def wait_for_answer(request: urllib.request.Request, seconds: float = 60) -> None:
    """Until the server is there and answers."""
    end = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(request, timeout=seconds) as answer:
                answer.read()
                return
        except OSError:  # not there yet; right after the page, the API may be a moment behind
            if time.monotonic() > end:
                raise
            time.sleep(0.05)


if __name__ == "__main__":
    main()
