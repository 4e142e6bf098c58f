"""The command line: serve · txt2img · img2img · inpaint · outpaint · interpolate · upscale · sdupscale · caption ·
check · test.

It parses, then uses the jobs service like everyone.

Options are made from the schema and from the settings, so that they cannot differ from the page's.
"""

import inspect
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar, get_args

import typer
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from rich.table import Table
from typer.exceptions import TyperException

from modules.catalog.checkpoints import Catalog
from modules.catalog.identifying import find_by_digest
from modules.jobs.checking import Outcome, Verdict, check
from modules.jobs.service import Jobs
from modules.schema.animation import ClipFormat
from modules.schema.captioning import Caption, Description
from modules.schema.errors import InvalidRequest, KararliError
from modules.schema.events import (
    AnswerReady,
    Cancelled,
    ClipReady,
    Failed,
    Job,
    PictureReady,
    Progress,
    Requeued,
    Stop,
)
from modules.schema.paths import flat_name, leaves
from modules.schema.requests import (
    Img2Img,
    Inpaint,
    Interpolate,
    Outpaint,
    Request,
    SdUpscale,
    Txt2Img,
    Upscale,
    result_names,
)
from modules.settings import REPOSITORY, Settings, load_settings
from modules.storage.captions import check_ending, written_as
from modules.storage.folders import pictures_in, stem_of
from modules.storage.opening import UnreadablePicture, file_bytes
from modules.storage.script import read_script

CHECKS = (
    ("format", ["ruff", "format", "--check", "."]),
    ("lint", ["ruff", "check", "."]),
    ("types", ["basedpyright"]),
    ("tests", ["pytest"]),
)
"""What `test` runs, each as python -m ..."""

CHECK_CODES = {Outcome.IDENTICAL: 0, Outcome.CLOSE: 3, Outcome.DIFFERENT: 4, Outcome.IMPOSSIBLE: 5}
"""How `check` ends; with several pictures the greatest counts."""
_FILES = ("picture", "mask", "hires_first_pass", "pictures", "names", "videos", "keyframes")
"""Values that are digests of input pictures or videos: files on the command line, where they can be given at all."""

_console = Console(stderr=True)

PaintingRequest = TypeVar(
    "PaintingRequest", Txt2Img, Img2Img, Inpaint, Outpaint, SdUpscale, Upscale, Caption, Interpolate
)


def main(serve: Callable[[Settings], None], open_jobs: Callable[[Settings], Jobs]) -> None:
    """Run the command in sys.argv; without one, serve."""
    if len(sys.argv) < 2 or (sys.argv[1].startswith("-") and sys.argv[1] not in ("--help", "-h")):
        sys.argv.insert(1, "serve")
    try:
        code = _commands(serve, open_jobs)(standalone_mode=False)
    except KararliError as error:
        _refuse(str(error))
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    except TyperException as error:  # what was typed does not fit the options
        _refuse(f"{error.format_message().rstrip('.')}. Add --help to see what can be given.")
    else:
        raise SystemExit(code)


def _refuse(sentence: str) -> NoReturn:
    _console.print(sentence, style="red", markup=False, highlight=False, soft_wrap=True)
    raise SystemExit(1) from None


def _commands(serve: Callable[[Settings], None], open_jobs: Callable[[Settings], Jobs]) -> typer.Typer:
    app = typer.Typer(
        name="webui.sh",
        help="Kararli, a Stable Diffusion studio. Without a command it serves the page.",
        add_completion=False,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )

    def serve_command(**values: Any) -> None:
        """Serve the page and the API (the default command)."""
        serve(load_settings(values))

    def paint(model: type[PaintingRequest], output: Path | None, values: dict[str, Any]) -> None:
        settings = load_settings({name: values.pop(name) for name in Settings.model_fields})
        files = {name: values.pop(name) for name in _FILES if name in values}
        _request(model, values)  # what is wrong with it is said before the engine starts
        jobs = open_jobs(settings)
        try:
            digests = {name: _keep(jobs, file) for name, file in files.items() if file is not None}
            request = _request(model, {**values, **digests})
            _follow(jobs, jobs.submit(request, save=output is None), output)
        finally:
            jobs.close()

    def paint_series(folder: Path, output: Path | None, values: dict[str, Any]) -> None:
        settings = load_settings({name: values.pop(name) for name in Settings.model_fields})
        request = _request(Img2Img, values)  # what is wrong with it is said before the engine starts
        files = list(_files([folder]))
        jobs = open_jobs(settings)
        try:
            series = _keep_all(jobs, files)
            request = Img2Img.model_validate({**request.model_dump(), "series": series})
            _follow(jobs, jobs.submit(request, save=output is None), output)
        except ValidationError as error:
            raise KararliError(f"{error.errors()[0]['msg']}.") from None
        finally:
            jobs.close()

    def check_command(pictures: list[Path], output: Path | None, **values: Any) -> None:
        """Make pictures again from the record in them, and say whether they are the same."""
        settings = load_settings(values)
        jobs = open_jobs(settings)
        try:
            outcomes = [_check(jobs, Catalog(settings), picture, output) for picture in pictures]
        finally:
            jobs.close()
        raise SystemExit(max(CHECK_CODES[outcome] for outcome in outcomes))

    def txt2img_command(output: Path | None, **values: Any) -> None:
        """Paint pictures from words."""
        paint(Txt2Img, output, values)

    def img2img_command(picture: Path, output: Path | None, **values: Any) -> None:
        """Paint pictures from words and a picture, or from each picture of a folder."""
        if picture.is_dir():
            paint_series(picture, output, values)
        else:
            paint(Img2Img, output, {**values, "picture": picture})

    def inpaint_command(output: Path | None, **values: Any) -> None:
        """Paint a part of a picture anew."""
        paint(Inpaint, output, values)

    def outpaint_command(output: Path | None, **values: Any) -> None:
        """Continue a picture beyond its sides."""
        paint(Outpaint, output, values)

    def sdupscale_command(output: Path | None, **values: Any) -> None:
        """Enlarge a picture and paint it over, tile by tile."""
        paint(SdUpscale, output, values)

    def upscale_command(pictures: list[Path], output: Path | None, **values: Any) -> None:
        """Make pictures larger: files, or all that lie in a folder."""
        settings = load_settings({name: values.pop(name) for name in Settings.model_fields})
        _request(Upscale, values)  # what is wrong with it is said before the engine starts
        files = list(_files(pictures))
        jobs = open_jobs(settings)
        try:
            request = _request(Upscale, {**values, **_keep_all(jobs, files)})
            _follow(jobs, jobs.submit(request, save=output is None), output)
        finally:
            jobs.close()

    def interpolate_command(keyframes: list[str], output: Path | None, **values: Any) -> None:
        """Make an animation between keyframes."""
        settings = load_settings({name: values.pop(name) for name in Settings.model_fields})
        if output is not None and values.get("format") is None and output.suffix[1:] in get_args(ClipFormat):
            values["format"] = output.suffix[1:]
        _request(Interpolate, values)  # what is wrong with it is said before the engine starts
        read_script(keyframes, lambda _file: "")
        jobs = open_jobs(settings)
        try:
            script = read_script(keyframes, lambda file: _keep(jobs, file))
            request = _request(Interpolate, {**values, "keyframes": script})
            _follow_clip(jobs, jobs.submit(request), output)
        finally:
            jobs.close()

    def caption_command(videos: list[Path], output: Path | None, **values: Any) -> None:
        """Put videos into words: labels, or a sentence."""
        settings = load_settings({name: values.pop(name) for name in Settings.model_fields})
        _request(Caption, values)  # what is wrong with it is said before the engine starts
        if output is not None:
            check_ending(output, len(videos))
        jobs = open_jobs(settings)
        try:
            given = {
                "videos": tuple(_keep_film(jobs, file) for file in videos),
                "names": tuple(stem_of(file.name) for file in videos),
            }
            request = _request(Caption, {**values, **given})
            said = _follow_answers(jobs, jobs.submit(request, save=output is None))
        finally:
            jobs.close()
        if output is not None:
            _write(output, written_as(output, said).encode())

    def test_command(
        arguments: Annotated[list[str] | None, typer.Argument(help="Passed on to pytest.")] = None,
    ) -> None:
        """Check format, lint and types, and run all tests."""
        for name, command in CHECKS:
            _console.rule(name)
            if name == "tests" and not arguments:
                code = _tests_side_by_side([sys.executable, "-m", *command])
            else:
                extra = (arguments or []) if name == "tests" else []
                code = subprocess.run([sys.executable, "-m", *command, *extra], cwd=REPOSITORY, check=False).returncode
            if code:
                raise SystemExit(code)

    settings_options = list(_options(Settings, "Settings"))
    picture = _parameter("picture", Annotated[Path, typer.Argument(help="The picture to start from.")])
    prompt = _parameter("prompt", Annotated[str, typer.Argument(help=_help(Txt2Img.model_fields["prompt"]))])
    mask = _parameter(
        "mask",
        Annotated[
            Path | None, typer.Option(help="A picture, white where to paint; without it: where PICTURE is transparent.")
        ],
        None,
    )
    enlarged = _parameter("pictures", Annotated[list[Path], typer.Argument(help="Pictures, or folders of them.")])
    described = _parameter("videos", Annotated[list[Path], typer.Argument(help="The videos.")])
    table = _parameter(
        "output",
        Annotated[Path | None, typer.Option("-o", "--output", help="A .json, .csv, .srt or .vtt for what was said.")],
        None,
    )
    output = _parameter(
        "output",
        Annotated[Path | None, typer.Option("-o", "--output", help="Where to put the PNG, instead of outputs/.")],
        None,
    )
    script = _parameter(
        "keyframes",
        Annotated[list[str], typer.Argument(help='Each "SECONDS: PROMPT", or a JSON file with a list of keyframes.')],
    )
    app.command("serve")(_with_parameters(serve_command, settings_options))
    checked = _parameter("pictures", Annotated[list[Path], typer.Argument(help="Pictures that were made here.")])
    differences = _parameter(
        "output",
        Annotated[Path | None, typer.Option("-o", "--output", help="A folder for pictures of the differences.")],
        None,
    )
    app.command("check")(_with_parameters(check_command, [checked, differences, *settings_options]))
    for model, command, first in (
        (Txt2Img, txt2img_command, [prompt]),
        (Img2Img, img2img_command, [picture, prompt]),
        (Inpaint, inpaint_command, [picture, prompt, mask]),
        (Outpaint, outpaint_command, [picture, prompt]),
        (SdUpscale, sdupscale_command, [picture, prompt]),
        (Upscale, upscale_command, [enlarged]),
        (Interpolate, interpolate_command, [script]),
        (Caption, caption_command, [described]),
    ):
        given = {parameter.name for parameter in first}
        options = [option for option in _options(model, "Request") if option.name not in (*given, *_FILES)]
        app.command(model.model_fields["task"].default)(
            _with_parameters(command, [*first, table if model is Caption else output, *options, *settings_options])
        )
    app.command("test", context_settings={"ignore_unknown_options": True})(test_command)
    return app


def _tests_side_by_side(pytest: list[str]) -> int:
    """The tests in the browser, which mostly wait, beside all others; each with one thread, since two programs that
    compute with all cores slow each other threefold. Returns 0 when both passed."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with tempfile.TemporaryFile("w+") as told:
        browser = subprocess.Popen(
            [*pytest, "tests/browser"], cwd=REPOSITORY, env=environment, stdout=told, stderr=subprocess.STDOUT
        )
        others = subprocess.run([*pytest, "--ignore=tests/browser"], cwd=REPOSITORY, env=environment, check=False)
        code = browser.wait()
        _console.rule("tests in the browser")
        told.seek(0)
        sys.stdout.write(told.read())
    return others.returncode or code


def _follow(jobs: Jobs, job: Job, output: Path | None) -> None:
    """Show a job's progress; put its pictures where they are wanted and name them on standard output."""
    count = job.request.picture_count
    with _bar() as bar:
        line = bar.add_task("Starting the engine", total=1.0)
        try:
            for event in jobs.watch(job.id):
                if isinstance(event, Progress):
                    bar.update(line, description=event.stage, completed=event.done)
                elif isinstance(event, PictureReady):
                    path = _deliver(event, _place(job.request, output, event.index, count))
                    bar.console.file.flush()
                    sys.stdout.write(f"{path}\n")
                elif isinstance(event, Requeued):
                    bar.console.print(event.reason)
                elif isinstance(event, Failed):
                    raise KararliError(event.reason)
                elif isinstance(event, Cancelled):
                    raise KararliError("Stopped.")
        except KeyboardInterrupt:
            jobs.stop(job.id, Stop.NOW)
            raise KararliError("Stopped.") from None


def _follow_clip(jobs: Jobs, job: Job, output: Path | None) -> None:
    """Show an animation's progress; put its clip where it is wanted and name it on standard output."""
    end: Failed | Cancelled | None = None
    with _bar() as bar:
        line = bar.add_task("Starting the engine", total=1.0)
        events = jobs.watch(job.id)
        while True:
            try:
                event = next(events, None)
            except KeyboardInterrupt:  # what is there becomes a clip first
                jobs.stop(job.id, Stop.NOW)
                events = jobs.watch(job.id)
                continue
            if event is None:
                break
            if isinstance(event, Progress):
                words = f"{event.stage}, frame {event.picture + 1} of {event.pictures}"
                bar.update(line, description=words, completed=event.done)
            elif isinstance(event, ClipReady):
                path = event.path if output is None else _moved(event.path, output)
                bar.console.file.flush()
                sys.stdout.write(f"{path}\n")
            elif isinstance(event, Failed | Cancelled):
                end = event
    if end is not None:
        raise KararliError(end.reason)


def _moved(path: Path, target: Path) -> Path:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(path, target)
    except OSError as error:
        raise KararliError(
            f"{target} cannot be written ({error.strerror}). The clip is at {path}; choose another place for -o."
        ) from None
    return target


def _follow_answers(jobs: Jobs, job: Job) -> list[Description]:
    """Show a job's progress; each answer goes to standard output, a line each."""
    said: list[Description] = []
    with _bar() as bar:
        line = bar.add_task("Starting the engine", total=1.0)
        try:
            for event in jobs.watch(job.id):
                if isinstance(event, Progress):
                    bar.update(line, description=event.stage, completed=event.done)
                elif isinstance(event, AnswerReady) and isinstance(event.answer, Description):
                    said.append(event.answer)
                    bar.console.file.flush()
                    sys.stdout.write(f"{event.answer.name}: {event.answer.sentence or event.answer.problem}\n")
                elif isinstance(event, Requeued):
                    bar.console.print(event.reason)
                elif isinstance(event, Failed | Cancelled):
                    raise KararliError(event.reason)
        except KeyboardInterrupt:
            jobs.stop(job.id, Stop.NOW)
            raise KararliError("Stopped.") from None
    return said


def _bar() -> Bar:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeRemainingColumn(),
    )
    return Bar(*columns, console=_console, transient=True)


def _check(jobs: Jobs, catalog: Catalog, path: Path, output: Path | None) -> Outcome:
    """Check one picture; its verdict goes to standard output."""
    verdict = _verdict(jobs, catalog, path)
    sys.stdout.write(f"{path}: {verdict.outcome}. {verdict.sentence}\n")
    if any(change.differs for change in verdict.changes):
        table = Table("", "then", "now", box=None, pad_edge=False)
        for change in verdict.changes:
            style = "bold" if change.differs else "dim"
            table.add_row(*map(escape, (change.name, change.then, change.now)), style=style)
        Console(soft_wrap=True, highlight=False).print(table)
    if output is not None and verdict.difference is not None:
        _write(output / f"{path.stem}-difference.png", verdict.difference.picture)
    return verdict.outcome


def _verdict(jobs: Jobs, catalog: Catalog, path: Path) -> Verdict:
    def locate(name: str, sha256: str) -> str:
        return find_by_digest(catalog, name, sha256).name

    try:
        data = file_bytes(path)
    except UnreadablePicture as error:
        return Verdict(Outcome.IMPOSSIBLE, str(error))
    job: Job | None = None
    with _bar() as bar:
        line = bar.add_task("Starting the engine", total=1.0)
        try:
            for event in check(data, jobs, locate):
                if isinstance(event, Verdict):
                    return event
                if isinstance(event, Job):
                    job = event
                elif isinstance(event, Progress):
                    bar.update(line, description=event.stage, completed=event.done)
        except KeyboardInterrupt:
            if job is not None:
                jobs.stop(job.id, Stop.NOW)
            raise
    raise AssertionError("a check ends with its verdict")


def _place(request: Request, output: Path | None, index: int, count: int) -> Path | None:
    """Where a picture goes; None where it is saved in outputs/. Enlarged pictures keep their names."""
    if output is None:
        return None
    names = result_names(request)
    if names and (count > 1 or output.is_dir() or not output.suffix):
        before = names[:index].count(names[index])
        return output / f"{names[index]}{f'-{before + 1}' if before else ''}.png"
    return output if count == 1 else output.with_stem(f"{output.stem}-{index + 1}")


def _deliver(picture: PictureReady, path: Path | None) -> Path:
    if picture.path is not None:
        return picture.path
    assert path is not None
    _write(path, picture.read())
    return path


def _write(path: Path, content: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    except OSError as error:
        raise KararliError(f"{path} cannot be written ({error.strerror}). Choose another place for -o.") from None


def _files(given: list[Path]) -> Iterator[tuple[Path, bool]]:
    """Each file, and whether it was named by itself rather than found in a folder."""
    for path in given:
        if path.is_dir():
            yield from ((file, False) for file in pictures_in(path))
        else:
            yield path, True


def _keep_all(jobs: Jobs, files: list[tuple[Path, bool]]) -> dict[str, tuple[str, ...]]:
    """Digests and names of the pictures; what is none in a folder is told and left out."""
    kept: dict[str, list[str]] = {"pictures": [], "names": []}
    for file, named in files:
        try:
            kept["pictures"].append(_keep(jobs, file))
            kept["names"].append(stem_of(file.name))
        except KararliError as error:
            if named:
                raise
            _console.print(f"Left out: {error}", markup=False, highlight=False, soft_wrap=True)
    if not kept["pictures"]:
        raise KararliError("None of these files is a picture. Name a folder that holds some.")
    return {name: tuple(values) for name, values in kept.items()}


def _keep(jobs: Jobs, file: Path) -> str:
    try:
        return jobs.keep_picture(file.read_bytes())
    except InvalidRequest as error:
        raise InvalidRequest(f"{file}: {error}", error.field) from None
    except OSError as error:
        raise KararliError(f"{file} cannot be read ({error.strerror}). Is it the right file?") from None


def _keep_film(jobs: Jobs, file: Path) -> str:
    try:
        return jobs.keep_film(file)
    except InvalidRequest as error:
        raise InvalidRequest(f"{file}: {error}", error.field) from None
    except OSError as error:
        raise KararliError(f"{file} cannot be read ({error.strerror}). Is it the right file?") from None


def _request(model: type[PaintingRequest], values: Mapping[str, Any]) -> PaintingRequest:
    """The request that options make; those not given keep the schema's defaults."""
    tree: dict[str, Any] = {}
    for path, _ in leaves(model):
        if (value := values.get(flat_name(model, path))) is not None:
            *parents, last = path.split(".")
            branch = tree
            for parent in parents:
                branch = branch.setdefault(parent, {})
            branch[last] = value
    try:
        return model.model_validate(tree)
    except ValidationError as error:
        first = error.errors()[0]
        path = ".".join(str(part) for part in first["loc"])
        name = flat_name(model, path) if path else ""
        raise InvalidRequest(f"--{name.replace('_', '-')}: {first['msg']}.".removeprefix("--: "), path) from None


def _options(model: type[BaseModel], panel: str) -> Iterator[inspect.Parameter]:
    """An optional option for each value of a model, nested ones too."""
    for path, field in leaves(model):
        name = flat_name(model, path)
        if name != "task":
            flag = name.replace("_", "-")
            default = field.default if field.default not in (None, "") else ""
            option = typer.Option(
                f"--{flag}/--no-{flag}" if field.annotation is bool else f"--{flag}",
                help=_help(field),
                show_default=str(default).lower() if isinstance(default, bool) else str(default) or False,
                rich_help_panel=panel,
            )
            yield _parameter(name, Annotated[_optional(field.annotation), option], None)


def _with_parameters(command: Callable[..., None], parameters: list[inspect.Parameter]) -> Callable[..., None]:
    """Give a function that takes **values the signature that Typer reads options from."""
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return command


def _parameter(name: str, annotation: Any, default: Any = inspect.Parameter.empty) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _optional(annotation: Any) -> Any:
    return annotation if type(None) in get_args(annotation) else annotation | None


def _help(field: FieldInfo) -> str:
    return field.description or ""
