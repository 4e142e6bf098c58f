"""A running program, as ./webui.sh starts it, and Chromium on its page."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from modules.settings import REPOSITORY
from tests.conftest import make_data_dir

CHROMIUM = "/usr/bin/chromium"
expect.set_options(timeout=30_000)  # a busy machine is slow to draw

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "browser" in item.path.parts:
            item.add_marker(pytest.mark.browser)


@dataclass
class Program:
    """A started program."""

    url: str
    data_dir: Path
    process: subprocess.Popen[str]
    log: Path

    def engine_pid(self) -> int:
        """The process id of its engine."""
        return children(self.process.pid)[0]


def checked(program: Program, *files: Path) -> dict[Path, str]:
    """What a fresh program's `check` says of pictures, one word each."""
    command = [sys.executable, str(REPOSITORY / "webui.py"), "check", *map(str, files)]
    told = subprocess.run(
        [*command, "--data-dir", str(program.data_dir)], check=False, capture_output=True, text=True, timeout=300
    )  # fmt: skip
    lines = [line for line in told.stdout.splitlines() if line.startswith(tuple(map(str, files)))]
    return {Path(line.partition(".png: ")[0] + ".png"): line.partition(".png: ")[2].split(".")[0] for line in lines}


def children(pid: int) -> list[int]:
    """The engine processes below a process: those that were started to run a worker."""
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError, IndexError):
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == pid and b"spawn_main" in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
    return sorted(found)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def started(data_dir: Path, *arguments: str) -> Iterator[Program]:
    """The program on a data folder, until the block ends."""
    port, log = free_port(), data_dir / "log.txt"
    command = [sys.executable, str(REPOSITORY / "webui.py"), "--port", str(port), "--data-dir", str(data_dir)]
    with log.open("w") as output:
        process = subprocess.Popen([*command, *arguments], stdout=output, stderr=subprocess.STDOUT, text=True)
        try:
            url = f"http://127.0.0.1:{port}"
            wait_for(lambda: process.poll() is not None or _answers(url), "the page to answer", 120)
            assert process.poll() is None, log.read_text()
            yield Program(url, data_dir, process, log)
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def wait_for(condition: Callable[[], object], what: str, seconds: float = 180) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"waited {seconds} s for {what}"
        time.sleep(0.05)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """One program for a file of tests."""
    with started(make_data_dir(tmp_path_factory.mktemp("program") / "data")) as running:
        yield running


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if not os.access(CHROMIUM, os.X_OK):
        pytest.fail(f"There is no Chromium at {CHROMIUM}; ./webui.sh test installs it.")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def open_page(browser: Browser, program: Program) -> Iterator[Callable[[], Page]]:
    """Opens the page as another visitor each time; fails on a request that leaves this machine."""
    contexts, outside = [], []

    def open_one() -> Page:
        context = browser.new_context(viewport={"width": 1400, "height": 1000})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(120_000)
        page.on("request", lambda request: outside.append(request.url))
        page.goto(program.url)
        page.wait_for_selector("#engine strong")
        return page

    yield open_one
    for context in contexts:
        context.close()
    assert [url for url in outside if not url.startswith((program.url, "data:", "blob:"))] == []


@pytest.fixture
def page(open_page: Callable[[], Page]) -> Page:
    return open_page()
