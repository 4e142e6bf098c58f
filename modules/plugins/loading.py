"""Finds extensions and asks all plugins for what they register.

Two ways in: a folder extensions/<name>/ with an __init__.py, and the entry-point group "webui" of an installed package.
A broken one is switched off, with its reason; nothing is put on sys.path.
"""

import importlib.metadata
import importlib.util
import logging
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

import pluggy

from modules.plugins import hookspecs
from modules.schema.errors import KararliError
from modules.schema.sampling import Sampler, Schedule
from modules.schema.upscaling import Upscaler
from modules.settings import Settings

ENTRY_POINTS = "webui"
Answer = TypeVar("Answer")
Choice = TypeVar("Choice")


@dataclass(frozen=True)
class Extension:
    """Something that was found; `problem` says why it is switched off."""

    name: str
    problem: str = ""


class Plugins:
    """Our own parts and the extensions, behind the hooks."""

    def __init__(self, settings: Settings, builtin: Iterable[object]) -> None:
        self._manager = pluggy.PluginManager(hookspecs.PROJECT)
        self._manager.add_hookspecs(hookspecs)
        for plugin in builtin:
            self._manager.register(plugin)
        self.extensions: list[Extension] = [
            *(self._add(folder.name, _load_folder, folder) for folder in _folders(settings.extensions)),
            *(self._add(entry.name, _load_entry, entry) for entry in _entry_points()),
        ]
        self._samplers = _joined(self._ask("register_samplers", _all_of(Sampler)))
        self._schedules = _joined(self._ask("register_schedules", _all_of(Schedule)))
        self._upscalers = _joined(self._ask("register_upscalers", _all_of(Upscaler)))

    def register(self, plugin: object) -> None:
        """Add a part of the program that comes later than the others: the page's, which needs Gradio."""
        self._manager.register(plugin)

    def samplers(self) -> list[Sampler]:
        """All samplers, ours first."""
        return list(self._samplers)

    def schedules(self) -> list[Schedule]:
        """All schedules, ours first."""
        return list(self._schedules)

    def upscalers(self) -> list[Upscaler]:
        """All upscalers, ours first."""
        return list(self._upscalers)

    def tasks(self) -> dict[str, Any]:
        """All tasks by name. Loads torch: for the worker."""
        return _merged(self._ask("register_tasks", _callables))

    def tabs(self) -> dict[str, Any]:
        """All tabs by title, ours first."""
        return _merged(self._ask("register_tabs", _callables))

    def _add(self, name: str, load: Any, source: Any) -> Extension:
        if self._manager.has_plugin(name):
            return Extension(name, "There is another extension of this name. Rename or remove one of the two.")
        try:
            plugin = load(source)
            self._manager.register(plugin, name)
            self._manager.check_pending()
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a foreign module does, the program starts
            logging.getLogger(__name__).warning("The extension %s is switched off: %s", name, error)
            if self._manager.has_plugin(name):
                self._manager.unregister(name=name)
            return Extension(name, _reason(error))
        return Extension(name)

    def _ask(self, hook: str, read: Callable[[Any], Answer]) -> list[Answer]:
        """Our own parts' answers, then the extensions', in the order of registration.

        An extension that raises, or gives what `read` does not take, is switched off.
        """
        theirs = [extension.name for extension in self.extensions]
        answers: list[Answer] = []
        implementations = getattr(self._manager.hook, hook).get_hookimpls()
        for implementation in sorted(implementations, key=lambda one: one.plugin_name in theirs):
            name = implementation.plugin_name
            try:
                answers.append(read(implementation.function()))
            except (Exception, SystemExit) as error:
                if name not in theirs:
                    raise
                logging.getLogger(__name__).warning("The extension %s is switched off: %s", name, error)
                self._manager.unregister(name=name)
                self.extensions = [
                    Extension(name, f"{hook}: {_reason(error)}") if extension == Extension(name) else extension
                    for extension in self.extensions
                ]
        return answers


def _reason(error: BaseException) -> str:
    if isinstance(error, KararliError | SyntaxError):
        return str(error)
    return f"{type(error).__name__}: {error}".removesuffix(": ")


def _all_of(kind: type[Choice]) -> Callable[[Any], list[Choice]]:
    """A reader of what a hook gives. The reader raises TypeError for anything that is not of this kind."""

    def read(answer: Any) -> list[Choice]:
        choices = list(answer)
        for choice in choices:
            if not isinstance(choice, kind):
                raise TypeError(f"{choice!r} is not a {kind.__name__}")
        return choices

    return read


def _callables(answer: Any) -> dict[str, Any]:
    functions: dict[str, Any] = dict(answer)
    for name, function in functions.items():
        if not callable(function):
            raise TypeError(f"{name!r} is no function")
    return functions


def _joined(answers: Iterable[list[Choice]]) -> list[Choice]:
    return [choice for answer in answers for choice in answer]


def _merged(mappings: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Earlier ones win, so that an extension cannot take the place of a part of ours unnoticed."""
    merged: dict[str, Any] = {}
    for mapping in mappings:
        for name, function in mapping.items():
            merged.setdefault(name, function)
    return merged


def _folders(parent: Path) -> list[Path]:
    if not parent.is_dir():
        return []
    return sorted(path for path in parent.iterdir() if path.is_dir() and not path.name.startswith((".", "__")))


def _entry_points() -> Iterable[importlib.metadata.EntryPoint]:
    return importlib.metadata.entry_points(group=ENTRY_POINTS)


def _load_entry(entry: importlib.metadata.EntryPoint) -> object:
    return entry.load()


def _load_folder(folder: Path) -> ModuleType:
    """Import a folder as extensions.<name>. Raises KararliError for folders that are no extensions."""
    init = folder / "__init__.py"
    if not init.is_file():
        if (folder / "scripts").is_dir():
            raise KararliError(
                "This is an extension for AUTOMATIC1111's program (it has scripts/ and no __init__.py). It cannot run"
                " here; docs/hooks.md tells how one for Kararli is made."
            )
        raise KararliError("The folder has no __init__.py, so there is nothing to load.")
    name = f"extensions.{folder.name}"
    spec = importlib.util.spec_from_file_location(name, init, submodule_search_locations=[str(folder)])
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
