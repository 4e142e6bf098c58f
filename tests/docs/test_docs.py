"""The docs say what is there, and nothing that is not."""

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import get_args

import pytest
import typer

from modules import cli
from modules.api.captioning import interrogate_router, native_router
from modules.api.jobs import router as jobs_router
from modules.api.sdapi import router
from modules.api.sdapi_models import ProgressAnswer, Txt2ImgAnswer, Txt2ImgBody
from modules.catalog.checkpoints import Catalog
from modules.engine import builtin
from modules.engine.sampling.levels import scaled_linear_levels
from modules.plugins import hookspecs
from modules.plugins.loading import Plugins
from modules.schema.events import Job, Painted
from modules.schema.requests import Txt2Img
from modules.schema.results import CheckpointRecord, Runtime
from modules.schema.sampling import choose
from modules.settings import ENVIRONMENT_PREFIX, REPOSITORY, Settings
from tests.event_loop import inside_event_loop

DOCS = REPOSITORY / "docs"
EXAMPLE = re.compile(r"^```python\n(# extensions/(\w+)/__init__\.py\n.*?)^```$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
MAP_ENTRY = re.compile(r"^(?P<indent> *)(?P<name>\S+) +\S")
PIN = re.compile(r"^(?P<name>[A-Za-z0-9_.-]+)==[0-9][\w.]*(;.*)?$")
PAGE_OF = {"plugins": "hooks"}
"""Folders of modules/ whose page has another name."""


def page(name: str) -> str:
    return (DOCS / f"{name}.md").read_text(encoding="utf-8")


def rows(text: str) -> list[list[str]]:
    """The cells of all tables in a page."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def tracked(*patterns: str) -> list[Path]:
    if not (REPOSITORY / ".git").exists():
        pytest.skip("This is a copy without git: which files belong to it cannot be told.")
    command = ["git", "ls-files", "-z", "--", *patterns]
    names = subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True, text=True).stdout
    return [Path(name) for name in names.split("\0") if name and (REPOSITORY / name).exists()]


def requirements() -> dict[str, str]:
    """Each direct dependency's line, by its name."""
    lines = [line for file in REPOSITORY.glob("requirements*.txt") for line in file.read_text().splitlines()]
    needed = [line for line in lines if line and not line.startswith(("#", "-r "))]
    return {re.split(r"[=<>~!;\s\[]", line)[0]: line for line in needed}


# ---- settings


@pytest.mark.parametrize("name", Settings.model_fields)
def test_setting_stands_in_the_docs_with_flag_variable_default_and_choices(name: str):
    field = Settings.model_fields[name]
    flag = f"`--{name.replace('_', '-')}`"
    [row] = [row for row in rows(page("settings")) if row[0] == flag]
    assert row[1] == f"`{ENVIRONMENT_PREFIX}{name.upper()}`"
    default = str(field.default).lower() if isinstance(field.default, bool) else str(field.default)
    assert row[3] == (f"`{default}`" if field.default != REPOSITORY else "the program's own folder")
    choices = [choice for choice in get_args(field.annotation) if isinstance(choice, str) and choice != field.default]
    assert [choice for choice in choices if f"`{choice}`" not in row[4]] == []


def test_docs_name_no_setting_that_is_not_there():
    flags = {row[0].strip("`") for row in rows(page("settings")) if row[0].startswith("`--")}
    assert flags == {f"--{name.replace('_', '-')}" for name in Settings.model_fields}


# ---- hooks


@dataclass(frozen=True)
class Example:
    """An extension as docs/hooks.md prints it."""

    name: str
    code: str


EXAMPLES = [Example(name, code) for code, name in EXAMPLE.findall(page("hooks"))]
HOOKS = [name for name in dir(hookspecs) if hasattr(getattr(hookspecs, name), f"{hookspecs.PROJECT}_spec")]


@pytest.fixture
def plugins_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Puts the example for a hook into an extensions folder and loads it."""

    def load(hook: str) -> Plugins:
        [example] = [example for example in EXAMPLES if f"def {hook}(" in example.code]
        folder = tmp_path / "extensions" / example.name
        folder.mkdir(parents=True)
        (folder / "__init__.py").write_text(example.code, encoding="utf-8")
        monkeypatch.setitem(sys.modules, f"extensions.{example.name}", None)  # so that it is gone afterwards
        plugins = Plugins(Settings(data_dir=tmp_path), [builtin])
        assert [extension.problem for extension in plugins.extensions] == [""]
        return plugins

    return load


def test_every_hook_has_a_section_and_one_example():
    text = page("hooks")
    sections = re.findall(r"^## (register_\w+)$", text, re.MULTILINE)
    assert sorted(sections) == sorted(HOOKS)
    assert {hook: sum(f"def {hook}(" in example.code for example in EXAMPLES) for hook in HOOKS} == dict.fromkeys(
        HOOKS, 1
    )


def test_every_python_block_in_the_hooks_page_is_executed_here():
    assert page("hooks").count("```python") == len(EXAMPLES) == len(HOOKS)


def test_sampler_example_is_found_by_its_alias_and_steps_exactly_when_the_model_is_sure(plugins_with):
    sampler = choose(plugins_with("register_samplers").samplers(), "k_ralston")
    step = SimpleNamespace(sigma=2.0, sigma_next=1.0, denoise=lambda latents, sigma=None: 0.5)
    assert sampler.begin()(0.5 + 2.0 * 0.3, step) == pytest.approx(0.5 + 1.0 * 0.3)
    last = SimpleNamespace(sigma=1.0, sigma_next=0, denoise=lambda latents, sigma=None: 0.5)
    assert sampler.begin()(0.8, last) == pytest.approx(0.5)


def test_schedule_example_is_found_by_its_label_and_falls_to_zero(plugins_with):
    schedule = choose(plugins_with("register_schedules").schedules(), "Quadratic")
    sigmas = schedule.sigmas(8, scaled_linear_levels())
    assert len(sigmas) == 9
    assert sigmas == sorted(set(sigmas), reverse=True)
    assert sigmas[-1] == 0


def test_task_example_hands_over_the_pictures_that_are_still_to_be_made(plugins_with):
    task = plugins_with("register_tasks").tasks()["grey"]
    record = CheckpointRecord(name="demo.safetensors", sha256="0" * 64)
    bench = SimpleNamespace(
        runtime=Runtime(device="cpu", device_name="", dtype="float32", attention="sdpa", torch=""),
        models=SimpleNamespace(record=lambda name: record),
    )
    request = Txt2Img(width=64, height=72, seed=5, batch_count=3)
    said: list[Painted] = []
    result = task(Job("job", request, finished=1), bench, said.append)
    assert [(event.index, event.seed, event.picture.width, event.picture.height) for event in said] == [
        (1, 6, 64, 72),
        (2, 7, 64, 72),
    ]
    assert result.environment.checkpoint == record


def test_tab_example_lists_the_checkpoints(plugins_with, tmp_path: Path):
    import gradio as gr

    checkpoints = tmp_path / "models" / "Stable-diffusion"
    checkpoints.mkdir(parents=True)
    (checkpoints / "broken.safetensors").touch()
    build_tab = plugins_with("register_tabs").tabs()["Checkpoints"]

    def build() -> gr.Blocks:
        with gr.Blocks() as blocks:
            build_tab(SimpleNamespace(catalog=Catalog(Settings(data_dir=tmp_path))))
        return blocks

    blocks = inside_event_loop(build)
    [table] = [block for block in blocks.blocks.values() if isinstance(block, gr.Dataframe)]
    assert table.value["data"][0][0] == "broken.safetensors"


# ---- API and command line


def endpoints() -> set[str]:
    routers = (router(None, None, None), interrogate_router(None, None), native_router(None, None), jobs_router(None))
    routes = [route for one in routers for route in one.routes]
    return {f"{method} {route.path}" for route in routes for method in route.methods}


def test_api_page_lists_the_endpoints():
    documented = re.findall(r"^\| `((?:GET|POST|PUT|DELETE) /(?:sdapi|kararli)/v1/[^`]*)`", page("api"), re.MULTILINE)
    assert sorted(documented) == sorted(endpoints())


def test_api_page_explains_every_field_of_txt2img_and_progress():
    named = {name for row in rows(page("api")) for name in re.findall(r"`(\w+)`", row[0])}
    for model in (Txt2ImgBody, Txt2ImgAnswer, ProgressAnswer):
        assert set(model.model_fields) - named == set(), model.__name__


def test_api_page_gives_the_defaults_of_txt2img():
    written = {name: row[1].strip("`") for row in rows(page("api")) for name in re.findall(r"`(\w+)`", row[0])}
    spelled = {None: "null", True: "true", False: "false", "": '""'}
    for name, field in Txt2ImgBody.model_fields.items():
        default = field.default if isinstance(field.default, int | float) else spelled[field.default]
        default = spelled[default] if isinstance(default, bool) else default
        assert written[name] == str(default), name


def commands() -> dict[str, set[str]]:
    """The options of each command, settings left out."""
    group = typer.main.get_command(cli._commands(lambda settings: None, lambda settings: None))
    settings = {f"--{name.replace('_', '-')}" for name in Settings.model_fields}
    return {
        name: {option for parameter in command.params for option in parameter.opts if option.startswith("-")} - settings
        for name, command in group.commands.items()
    }


def test_command_line_page_lists_the_commands():
    documented = {row[0].strip("`").split()[0] for row in rows(page("cli")) if re.match(r"`[a-z]", row[0])}
    assert documented == set(commands())


def test_command_line_page_lists_the_options():
    documented = {option for row in rows(page("cli")) for option in re.findall(r"`(--?[\w-]+)`", row[0])}
    assert documented == set.union(*commands().values())


# ---- README


def mapped() -> set[str]:
    """The paths in the README's file map; folders end in a slash."""
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    block = text.split("## What lies where")[1].split("```")[1]
    paths: list[str] = []
    parents: list[str] = []
    for line in block.strip("\n").splitlines():
        match = MAP_ENTRY.match(line)
        assert match, f"{line!r} has no name and words"
        del parents[len(match["indent"]) // 2 :]
        paths.append("".join(parents) + match["name"])
        if match["name"].endswith("/"):
            parents.append(match["name"])
    assert len(paths) == len(set(paths))
    return set(paths)


def test_file_map_names_everything_at_the_top():
    top = {f"{path.parts[0]}/" if len(path.parts) > 1 else path.name for path in tracked()}
    assert {path for path in mapped() if "/" not in path.rstrip("/")} == top


def test_file_map_equals_the_tree_of_modules():
    files = [path for path in tracked("modules") if path.name != "__init__.py"]
    folders = {f"{parent.as_posix()}/" for path in files for parent in path.parents if parent != Path()}
    assert {path for path in mapped() if path.startswith("modules/")} == {path.as_posix() for path in files} | folders


def test_space_runs_the_gradio_that_is_pinned():
    header = (REPOSITORY / "README.md").read_text(encoding="utf-8").split("---")[1]
    fields = dict(line.split(": ", 1) for line in header.strip().splitlines())
    assert requirements()["gradio"] == f"gradio=={fields['sdk_version']}"
    assert (REPOSITORY / fields["app_file"]).is_file()
    assert fields["title"] == "Kararli"


# ---- all pages


def test_every_direct_dependency_is_pinned_exactly():
    assert [line for line in requirements().values() if not PIN.match(line)] == []


def test_every_direct_dependency_has_its_reason():
    assert [name for name in requirements() if f" - {name}.**" not in page("decisions")] == []


def test_every_choice_is_dated():
    paragraphs = [line for line in page("decisions").splitlines() if line.startswith("**")]
    assert paragraphs
    assert [line for line in paragraphs if not re.match(r"\*\*\d{4}-\d{2}-\d{2} - \S", line)] == []


@pytest.mark.parametrize("folder", sorted(path.parent.name for path in REPOSITORY.glob("modules/*/__init__.py")))
def test_every_room_has_a_page_that_ends_with_its_tests(folder: str):
    assert page(PAGE_OF.get(folder, folder)).rstrip().splitlines()[-1] == f"Tests: `tests/{folder}/`"


def test_relative_links_lead_somewhere():
    lost = [
        f"{file}: {target}"
        for file in tracked("*.md")
        for target in LINK.findall((REPOSITORY / file).read_text(encoding="utf-8"))
        if not target.startswith(("https://", "http://", "#"))
        and not (REPOSITORY / file).parent.joinpath(target.partition("#")[0]).exists()
    ]
    assert lost == []
