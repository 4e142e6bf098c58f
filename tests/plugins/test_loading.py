import importlib.metadata
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from modules.plugins.hookspecs import hookimpl
from modules.plugins.loading import ENTRY_POINTS, Extension, Plugins
from modules.schema.sampling import Sampler, Schedule, choose
from modules.settings import Settings

HEAD = """
from modules.plugins.hookspecs import hookimpl
from modules.schema.sampling import Sampler, Schedule

def stay(latents, step):
    return latents
"""
SAMPLER = f"""{HEAD}
@hookimpl
def register_samplers():
    return [Sampler("Theirs", begin=lambda: stay)]
"""


class Ours:
    """A part of the program."""

    @hookimpl
    def register_samplers(self) -> Sequence[Sampler]:
        return [Sampler("Euler", begin=lambda: _stay), Sampler("Heun", begin=lambda: _stay, aliases=("k_heun",))]

    @hookimpl
    def register_schedules(self) -> Sequence[Schedule]:
        return [Schedule("even", "Even", lambda steps, _levels: [0.0] * steps)]

    @hookimpl
    def register_tasks(self) -> Mapping[str, Any]:
        return {"txt2img": _stay}

    @hookimpl
    def register_tabs(self) -> Mapping[str, Any]:
        return {"txt2img": _stay, "Gallery": _stay}


def _stay(latents: object, _step: object) -> object:
    return latents


@pytest.fixture(autouse=True)
def _forget_extensions() -> Iterator[None]:
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.startswith("extensions."):
            del sys.modules[name]


@pytest.fixture
def extend(tmp_path: Path) -> Callable[..., Path]:
    """Drop an extension into the folder."""

    def write(name: str, code: str = SAMPLER, **files: str) -> Path:
        folder = tmp_path / "extensions" / name
        folder.mkdir(parents=True)
        for file, text in {"__init__": code, **files}.items():
            (folder / f"{file}.py").write_text(text, encoding="utf-8")
        return folder

    return write


@pytest.fixture
def load(tmp_path: Path) -> Callable[[], Plugins]:
    return lambda: Plugins(Settings(data_dir=tmp_path), [Ours()])


def _names(plugins: Plugins) -> list[str]:
    return [sampler.name for sampler in plugins.samplers()]


def _problem(plugins: Plugins, name: str) -> str:
    (found,) = [extension for extension in plugins.extensions if extension.name == name]
    return found.problem


# what is loaded


def test_without_extensions_there_are_our_own_parts(load: Callable[[], Plugins]) -> None:
    plugins = load()
    assert plugins.extensions == []
    assert _names(plugins) == ["Euler", "Heun"]
    assert [schedule.name for schedule in plugins.schedules()] == ["even"]
    assert list(plugins.tasks()) == ["txt2img"]
    assert list(plugins.tabs()) == ["txt2img", "Gallery"]


def test_a_folder_is_loaded_under_the_name_of_extensions_and_the_path_stays(
    load: Callable[[], Plugins], extend: Callable[..., Path]
) -> None:
    folder, path = extend("friendly"), list(sys.path)
    plugins = load()
    assert plugins.extensions == [Extension("friendly")]
    assert _names(plugins) == ["Euler", "Heun", "Theirs"]
    assert sys.modules["extensions.friendly"].__file__ == str(folder / "__init__.py")
    assert sys.path == path
    assert "friendly" not in sys.modules


def test_an_extension_imports_its_own_files(load: Callable[[], Plugins], extend: Callable[..., Path]) -> None:
    extend("large", f"{HEAD}\nfrom .parts import register_samplers\n", parts=SAMPLER)
    plugins = load()
    assert plugins.extensions == [Extension("large")]
    assert "Theirs" in _names(plugins)
    assert "extensions.large.parts" in sys.modules


@pytest.mark.parametrize("name", ["with-dash", "with space", "with.dot", "class", "ğüş"])
def test_an_extensions_folder_may_have_any_name(
    name: str, load: Callable[[], Plugins], extend: Callable[..., Path]
) -> None:
    extend(name, f"{HEAD}\nfrom .parts import register_samplers\n", parts=SAMPLER)
    plugins = load()
    assert plugins.extensions == [Extension(name)]
    assert "Theirs" in _names(plugins)


def test_hidden_folders_and_single_files_are_no_extensions(
    load: Callable[[], Plugins], extend: Callable[..., Path]
) -> None:
    extend(".git")
    parent = extend("__pycache__").parent
    (parent / "alone.py").write_text(SAMPLER)
    assert load().extensions == []


def test_an_extension_may_register_every_kind(load: Callable[[], Plugins], extend: Callable[..., Path]) -> None:
    extend(
        "generous",
        f"""{SAMPLER}
@hookimpl
def register_schedules():
    return (Schedule("theirs", "Theirs", lambda steps, levels: [0.0] * steps),)

@hookimpl
def register_tasks():
    return {{"dream": stay}}

@hookimpl
def register_tabs():
    return {{"Dream": stay}}
""",
    )
    plugins = load()
    assert [schedule.name for schedule in plugins.schedules()] == ["even", "theirs"]
    assert list(plugins.tasks()) == ["txt2img", "dream"]
    assert list(plugins.tabs()) == ["txt2img", "Gallery", "Dream"]


class Installed(importlib.metadata.EntryPoint):
    """An entry point of a package that is not installed really."""

    def load(self) -> object:
        if self.value == "broken":
            raise ImportError("there is no such module")
        return Visitor()


class Visitor:
    @hookimpl
    def register_samplers(self) -> Sequence[Sampler]:
        return [Sampler("Installed", begin=lambda: _stay)]


def _install(monkeypatch: pytest.MonkeyPatch, *entries: tuple[str, str]) -> None:
    found = [Installed(name, value, ENTRY_POINTS) for name, value in entries]
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: [one for one in found if one.group == group])


def test_an_installed_package_is_loaded_by_its_entry_point(
    load: Callable[[], Plugins], monkeypatch: pytest.MonkeyPatch
) -> None:
    _install(monkeypatch, ("visitor", "fine"), ("stranger", "broken"))
    plugins = load()
    assert _names(plugins) == ["Euler", "Heun", "Installed"]
    assert _problem(plugins, "visitor") == ""
    assert "there is no such module" in _problem(plugins, "stranger")


def test_of_two_extensions_with_one_name_the_second_is_switched_off_and_the_first_stays(
    load: Callable[[], Plugins], extend: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    extend("twice")
    _install(monkeypatch, ("twice", "fine"))
    plugins = load()
    assert _names(plugins) == ["Euler", "Heun", "Theirs"]
    assert [extension.problem for extension in plugins.extensions] == [
        "",
        "There is another extension of this name. Rename or remove one of the two.",
    ]


# what is switched off

BROKEN_AT_IMPORT: dict[str, tuple[str, str]] = {
    "a syntax error": ("def register_samplers(:\n", "invalid syntax"),
    "an error": ("1 / 0\n", "ZeroDivisionError: division by zero"),
    "an error without words": ("raise ValueError\n", "ValueError"),
    "a missing library": ("import a_library_that_nobody_has\n", "a_library_that_nobody_has"),
    "a missing file of its own": ("from .parts import x\n", "extensions.broken.parts"),
    "an exit": ("import sys\nsys.exit('Goodbye')\n", "Goodbye"),
    "a hook that is misspelt": (
        "from modules.plugins.hookspecs import hookimpl\n@hookimpl\ndef register_sampler(): return []\n",
        "unknown hook 'register_sampler'",
    ),
    "a hook that wants to be given something": (
        "from modules.plugins.hookspecs import hookimpl\n@hookimpl\ndef register_samplers(app): return []\n",
        "app",
    ),
}


@pytest.mark.parametrize(("code", "reason"), BROKEN_AT_IMPORT.values(), ids=BROKEN_AT_IMPORT)
def test_an_extension_that_breaks_at_its_import_is_switched_off_with_its_reason(
    code: str, reason: str, load: Callable[[], Plugins], extend: Callable[..., Path]
) -> None:
    extend("broken", f"{SAMPLER}\n{code}")
    extend("fine", SAMPLER.replace("Theirs", "Fine"))
    plugins = load()
    assert reason in _problem(plugins, "broken")
    assert _names(plugins) == ["Euler", "Heun", "Fine"]


def test_what_broke_at_its_import_does_not_stay_half_loaded(
    load: Callable[[], Plugins], extend: Callable[..., Path]
) -> None:
    extend("broken", "1 / 0\n")
    load()
    assert "extensions.broken" not in sys.modules


BROKEN_ANSWERS: dict[str, tuple[str, str]] = {
    "an error": ("1 / 0", "ZeroDivisionError: division by zero"),
    "an exit": ("raise SystemExit('Goodbye')", "Goodbye"),
    "nothing": ("pass", "NoneType"),
    "a number": ("return 7", "int"),
    "names": ("return ['Theirs']", "'Theirs' is not a Sampler"),
    "a schedule": ("return [Schedule('a', 'A', stay)]", "is not a Sampler"),
    "an error in the middle": ("yield Sampler('Theirs', begin=stay); 1 / 0", "division by zero"),
}


@pytest.mark.parametrize(("body", "reason"), BROKEN_ANSWERS.values(), ids=BROKEN_ANSWERS)
def test_an_extension_whose_hook_breaks_is_switched_off_with_its_reason(
    body: str, reason: str, load: Callable[[], Plugins], extend: Callable[..., Path]
) -> None:
    extend("broken", f"{HEAD}\n@hookimpl\ndef register_samplers():\n    {body}\n")
    extend("fine", SAMPLER)
    plugins = load()
    assert _names(plugins) == ["Euler", "Heun", "Theirs"]
    assert _problem(plugins, "broken").startswith("register_samplers: ")
    assert reason in _problem(plugins, "broken")
    assert _problem(plugins, "fine") == ""


@pytest.mark.parametrize("hook", ["tasks", "tabs"])
@pytest.mark.parametrize("answer", ["None", "7", "['Dream']", "{'Dream': 'dream'}", "{}[0]"])
def test_an_extension_whose_tasks_or_tabs_are_senseless_is_switched_off(
    hook: str, answer: str, load: Callable[[], Plugins], extend: Callable[..., Path]
) -> None:
    extend("broken", f"{HEAD}\n@hookimpl\ndef register_{hook}():\n    return {answer}\n")
    plugins = load()
    assert "Dream" not in (plugins.tasks() if hook == "tasks" else plugins.tabs())
    assert _problem(plugins, "broken").startswith(f"register_{hook}: ")


def test_an_extension_that_is_switched_off_is_not_asked_for_anything_more(
    load: Callable[[], Plugins], extend: Callable[..., Path]
) -> None:
    tab = "@hookimpl\ndef register_tabs():\n    return {'Dream': stay}\n"
    extend("broken", f"{HEAD}\n@hookimpl\ndef register_samplers():\n    1 / 0\n{tab}")
    extend("fine", f"{HEAD}\n{tab}".replace("Dream", "Other"))
    assert list(load().tabs()) == ["txt2img", "Gallery", "Other"]


def test_an_error_in_a_part_of_ours_is_not_hidden(tmp_path: Path) -> None:
    class Faulty:
        @hookimpl
        def register_samplers(self) -> Sequence[Sampler]:
            raise RuntimeError("our own fault")

    with pytest.raises(RuntimeError, match="our own fault"):
        Plugins(Settings(data_dir=tmp_path), [Faulty()])


def test_an_extension_for_another_program_is_recognised_and_told_so(
    load: Callable[[], Plugins], tmp_path: Path
) -> None:
    folder = tmp_path / "extensions" / "sd-webui-something" / "scripts"
    folder.mkdir(parents=True)
    (folder / "something.py").write_text("raise SystemExit")
    assert "AUTOMATIC1111" in _problem(load(), "sd-webui-something")


def test_a_folder_without_code_is_told_so(load: Callable[[], Plugins], tmp_path: Path) -> None:
    (tmp_path / "extensions" / "empty").mkdir(parents=True)
    assert "no __init__.py" in _problem(load(), "empty")


# who comes first


@pytest.mark.parametrize("marker", ["@hookimpl", "@hookimpl(tryfirst=True)", "@hookimpl(trylast=True)"])
def test_our_own_samplers_come_first_and_cannot_be_replaced(
    marker: str, load: Callable[[], Plugins], extend: Callable[..., Path]
) -> None:
    extend("greedy", SAMPLER.replace("Theirs", "Euler").replace("@hookimpl", marker))
    plugins = load()
    ours = Plugins(Settings(data_dir=Path("nowhere")), [Ours()]).samplers()
    assert [sampler.name for sampler in plugins.samplers()][:2] == [sampler.name for sampler in ours]
    assert choose(plugins.samplers(), "Euler").begin() is _stay


@pytest.mark.parametrize("marker", ["@hookimpl", "@hookimpl(tryfirst=True)", "@hookimpl(trylast=True)"])
def test_our_own_tabs_come_first_and_cannot_be_replaced_though_they_are_registered_last(
    marker: str, tmp_path: Path, extend: Callable[..., Path]
) -> None:
    extend("greedy", f"{HEAD}\n{marker}\ndef register_tabs():\n    return {{'Dream': stay, 'Gallery': stay}}\n")
    plugins = Plugins(Settings(data_dir=tmp_path), [])
    plugins.register(Ours())
    assert list(plugins.tabs()) == ["txt2img", "Gallery", "Dream"]
    assert plugins.tabs()["Gallery"] is _stay


def test_our_own_tasks_cannot_be_replaced(load: Callable[[], Plugins], extend: Callable[..., Path]) -> None:
    extend("greedy", f"{HEAD}\n@hookimpl\ndef register_tasks():\n    return {{'txt2img': stay, 'dream': stay}}\n")
    tasks = load().tasks()
    assert tasks["txt2img"] is _stay
    assert tasks["dream"] is not _stay


def test_extensions_answer_in_the_order_of_their_names(
    load: Callable[[], Plugins], extend: Callable[..., Path]
) -> None:
    for name in ("zebra", "ant"):
        extend(name, SAMPLER.replace("Theirs", name))
    assert _names(load()) == ["Euler", "Heun", "ant", "zebra"]
