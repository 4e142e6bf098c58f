"""Imports point down (modules/__init__.py has the map), torch lives in one room, and nothing is put on sys.path."""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from modules.settings import REPOSITORY

GROUND = frozenset({"settings", "schema"})
FRONT = GROUND | {"prompts", "catalog", "storage", "plugins", "jobs"}
MAY_IMPORT: Mapping[str, frozenset[str]] = {
    "ui": FRONT,
    "api": FRONT,
    "cli": FRONT,
    "engine": GROUND | {"catalog", "prompts"},
    "jobs": GROUND | {"storage"},
    "plugins": GROUND,
    "storage": GROUND,
    "catalog": GROUND | {"prompts"},
    "prompts": GROUND,
    "settings": frozenset({"schema"}),  # for the error that it raises
    "schema": frozenset(),
}
"""Room -> the other rooms of modules/ that it may import from."""

HEAVY = frozenset({"torch", "torchvision", "torchsde", "diffusers", "transformers", "accelerate", "peft", "xformers"})
CHANGES = frozenset({"append", "insert", "extend", "remove", "pop", "clear", "sort", "reverse"})


@dataclass(frozen=True)
class Import:
    """One arrow: a line that names a module."""

    line: int
    module: str


def _source_files() -> list[str]:
    folders = [REPOSITORY / name for name in ("modules", "benchmarks", "training")]
    files = [REPOSITORY / "webui.py", *(file for folder in folders for file in folder.rglob("*.py"))]
    return sorted(file.relative_to(REPOSITORY).as_posix() for file in files)


def _imports(path: str, tree: ast.AST) -> Iterator[Import]:
    """Every import, wherever it stands; one by name as `importlib.import_module("x")` too."""
    package = path.removesuffix(".py").split("/")[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (Import(node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            source = ".".join([*above, *([node.module] if node.module else [])])
            yield Import(node.lineno, source)
            yield from (Import(node.lineno, f"{source}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.Call) and node.args:
            function = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            name = node.args[0]
            if function in ("import_module", "__import__") and isinstance(name, ast.Constant):
                yield Import(node.lineno, str(name.value))


def _room(module: str) -> str | None:
    """The room of modules/ that a module is in; None for others and for what modules/__init__.py itself holds."""
    parts = module.split(".")
    return parts[1] if parts[0] == "modules" and len(parts) > 1 and parts[1] in MAY_IMPORT else None


def _changes_of_the_path(tree: ast.AST) -> Iterator[int]:
    names = {"sys"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.asname or alias.name for alias in node.names if alias.name == "sys"}

    def is_path(node: ast.AST) -> bool:
        if isinstance(node, ast.Attribute) and node.attr == "path":
            return isinstance(node.value, ast.Name) and node.value.id in names
        return isinstance(node, ast.Subscript) and is_path(node.value)

    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "sys" and any(one.name == "path" for one in node.names):
            yield node.lineno  # under another name it could be changed unseen
        elif isinstance(node, ast.Attribute | ast.Subscript) and is_path(node) and not isinstance(node.ctx, ast.Load):
            yield node.lineno
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            called = node.func
            if (called.attr in CHANGES and is_path(called.value)) or called.attr == "addsitedir":
                yield node.lineno
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "setattr":
            target, name = node.args[:2]
            if isinstance(target, ast.Name) and target.id in names and ast.unparse(name) == "'path'":
                yield node.lineno


def violations(path: str, source: str) -> list[str]:
    """What a file does against the rules, one line each; `path` is relative to the repository, with slashes."""
    tree = ast.parse(source)
    found = [f"{path}:{line} changes sys.path" for line in _changes_of_the_path(tree)]
    room = _room(path.removesuffix(".py").replace("/", "."))
    for arrow in _imports(path, tree):
        first = arrow.module.split(".")[0]
        target = _room(arrow.module)
        if first == "webui" and not path.startswith(("benchmarks/", "training/")):
            found.append(f"{path}:{arrow.line} imports webui")
        if first in HEAVY and room != "engine" and not path.startswith(("training/", "benchmarks/")):
            found.append(f"{path}:{arrow.line} imports {first}")
        if room is not None and target is not None and target not in MAY_IMPORT[room] | {room}:
            found.append(f"{path}:{arrow.line} imports {target}")
    return list(dict.fromkeys(found))


def test_every_room_has_its_place() -> None:
    modules = REPOSITORY / "modules"
    rooms = {path.stem for path in modules.iterdir() if (path / "__init__.py").is_file() or path.suffix == ".py"}
    assert rooms - {"__init__"} == set(MAY_IMPORT)


def test_no_room_may_be_reached_from_one_below_it() -> None:
    def reached(room: str) -> set[str]:
        return {room}.union(*(reached(below) for below in MAY_IMPORT[room]))

    for room, below in MAY_IMPORT.items():
        assert room not in set().union(*map(reached, below)), room


@pytest.mark.parametrize("path", _source_files())
def test_a_file_keeps_to_the_rules(path: str) -> None:
    assert violations(path, (REPOSITORY / path).read_text(encoding="utf-8")) == []


AGAINST_THE_RULES: list[tuple[str, str, str]] = [
    ("modules/catalog/a.py", "import modules.engine.engine", "imports engine"),
    ("modules/catalog/a.py", "from modules.storage.files import PictureFiles", "imports storage"),
    ("modules/prompts/a.py", "from modules.catalog.checkpoints import Catalog", "imports catalog"),
    ("modules/storage/a.py", "from modules.prompts.parsing import parse", "imports prompts"),
    ("modules/catalog/a.py", "from modules import jobs", "imports jobs"),
    ("modules/catalog/a.py", "from ..jobs import service", "imports jobs"),
    ("modules/catalog/a.py", "from .. import jobs", "imports jobs"),
    ("modules/catalog/a.py", "def f():\n    from modules.ui.app import build_page", "imports ui"),
    (
        "modules/jobs/a.py",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from modules.engine.engine import Engine",
        "imports engine",
    ),
    ("modules/jobs/a.py", "from modules.catalog.checkpoints import Catalog", "imports catalog"),
    ("modules/jobs/a.py", "from modules.plugins.loading import Plugins", "imports plugins"),
    ("modules/engine/a.py", "from modules.jobs.backend import attempt", "imports jobs"),
    ("modules/engine/a.py", "from modules.plugins.hookspecs import hookimpl", "imports plugins"),
    ("modules/ui/a.py", "from modules.api.app import attach", "imports api"),
    ("modules/api/a.py", "import modules.cli", "imports cli"),
    ("modules/cli.py", "from modules.engine import builtin", "imports engine"),
    ("modules/cli.py", "from .ui import app", "imports ui"),
    ("modules/settings.py", "from modules.catalog import headers", "imports catalog"),
    ("modules/schema/a.py", "from modules.settings import Settings", "imports settings"),
    ("modules/schema/a.py", "import importlib\nimportlib.import_module('modules.jobs')", "imports jobs"),
    ("modules/cli.py", "from webui import serve", "imports webui"),
    ("modules/ui/a.py", "import webui", "imports webui"),
    ("modules/ui/a.py", "import torch", "imports torch"),
    ("modules/schema/a.py", "import torch.nn as nn", "imports torch"),
    ("modules/jobs/a.py", "def f():\n    from torch import Tensor", "imports torch"),
    ("modules/plugins/a.py", "__import__('diffusers')", "imports diffusers"),
    ("webui.py", "from transformers import CLIPTextModel", "imports transformers"),
    ("modules/plugins/a.py", "import sys\nsys.path.append('x')", "changes sys.path"),
    ("modules/plugins/a.py", "import sys\nsys.path.insert(0, 'x')", "changes sys.path"),
    ("modules/plugins/a.py", "import sys as s\ns.path += ['x']", "changes sys.path"),
    ("modules/plugins/a.py", "import sys\nsys.path = []", "changes sys.path"),
    ("modules/plugins/a.py", "import sys\nsys.path[:0] = ['x']", "changes sys.path"),
    ("modules/plugins/a.py", "import sys\ndel sys.path[0]", "changes sys.path"),
    ("modules/plugins/a.py", "import sys\nsetattr(sys, 'path', [])", "changes sys.path"),
    ("modules/engine/a.py", "from sys import path\npath.append('x')", "changes sys.path"),
    ("webui.py", "import site\nsite.addsitedir('x')", "changes sys.path"),
]


@pytest.mark.parametrize(("path", "source", "words"), AGAINST_THE_RULES)
def test_what_is_against_the_rules_is_found(path: str, source: str, words: str) -> None:
    line = len(source.splitlines())
    assert [found for found in violations(path, source) if found.endswith(words)] != []
    assert all(found.startswith(f"{path}:") for found in violations(path, source))
    assert f":{line} " in violations(path, source)[-1] or "from sys import" in source


WITHIN_THE_RULES: list[tuple[str, str]] = [
    ("webui.py", "from modules import cli\nfrom modules.engine import builtin\nfrom modules.jobs.service import Jobs"),
    ("modules/engine/a.py", "import torch\nfrom modules.catalog.checkpoints import Catalog"),
    ("modules/engine/tasks/a.py", "from ..loading import Models\nfrom diffusers import models"),
    ("modules/jobs/a.py", "from modules.storage.archive import Archive\nfrom modules.jobs.feed import Feed"),
    ("modules/api/a.py", "from modules import __version__\nfrom modules.catalog.checkpoints import Catalog"),
    ("modules/schema/a.py", "from modules.schema.media import Picture\nfrom . import errors"),
    ("modules/plugins/a.py", "import sys\nprint(sys.path)\nfirst = sys.path[0]\nsys.modules['x'] = first"),
    ("modules/storage/a.py", "import os\nos.path.join('a', 'b')\nfolder = []\nfolder.append('torch')"),
    ("training/a.py", "import torch"),
]


@pytest.mark.parametrize(("path", "source"), WITHIN_THE_RULES)
def test_what_is_within_the_rules_is_left_alone(path: str, source: str) -> None:
    assert violations(path, source) == []


LOADED = """
import json, sys
import webui
import modules.ui.app, modules.ui.builtin, modules.ui.server, modules.api.app
from modules.engine import builtin
from modules.plugins.loading import Plugins
from modules.settings import Settings
from pathlib import Path
plugins = Plugins(Settings(data_dir=Path("nowhere")), [builtin])
plugins.register(modules.ui.builtin)
chosen = [len(plugins.samplers()), len(plugins.schedules()), len(plugins.tabs())]
print(json.dumps([chosen, sorted(sys.modules)]))
"""


def _loaded(code: str) -> tuple[list[int], set[str]]:
    command = [sys.executable, "-c", code]
    ended = subprocess.run(command, cwd=Path(REPOSITORY), capture_output=True, text=True, check=True, timeout=120)
    chosen, names = json.loads(ended.stdout.splitlines()[-1])
    return chosen, set(names)


def test_the_page_and_the_api_load_none_of_the_engines_libraries() -> None:
    chosen, names = _loaded(LOADED)
    assert {"webui", "gradio", "fastapi", "modules.ui.app", "modules.api.app", "modules.cli"} <= names
    assert min(chosen) > 0
    assert names & HEAVY == set()
