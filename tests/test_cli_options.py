import re
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

from modules import cli
from modules.schema.paths import flat_name, leaves
from modules.schema.requests import Sampling, Txt2Img
from modules.settings import Settings

LEAVES = [flat_name(Txt2Img, path) for path, _ in leaves(Txt2Img)]
REQUEST_OPTIONS = sorted(set(LEAVES) - {"task", "prompt", "hires_first_pass"})

Served = list[Settings]


class NothingIsRun(AssertionError):
    """Jobs were opened though the arguments should have been refused."""


def _open_jobs(_settings: Settings) -> NoReturn:
    raise NothingIsRun


@pytest.fixture
def served() -> Served:
    return []


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, served: Served) -> Callable[..., int]:
    """Call the program with arguments; gives its exit status."""
    for name in Settings.model_fields:
        monkeypatch.delenv(f"KARARLI_{name.upper()}", raising=False)
    monkeypatch.setenv("COLUMNS", "200")

    def call(*arguments: object) -> int:
        monkeypatch.setattr("sys.argv", ["webui.py", *map(str, arguments)])
        try:
            cli.main(serve=served.append, open_jobs=_open_jobs)
        except SystemExit as ended:
            return int(ended.code or 0)
        return 0

    return call


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _listed(help_text: str) -> set[str]:
    return set(re.findall(r"--[a-z][a-z-]+", help_text))


# help


@pytest.mark.parametrize("command", ["serve", "txt2img", "check"])
def test_help_lists_every_setting_with_its_description(
    command: str, run: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(command, "--help") == 0
    text = capsys.readouterr().out
    assert {_option(name) for name in Settings.model_fields} <= _listed(text)
    words = " ".join(re.sub("[│╭╮╰╯─]", " ", text).split())
    for field in Settings.model_fields.values():
        assert (field.description or "?").split(";")[0][:40] in words


def test_help_lists_every_field_of_the_request(run: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    assert run("txt2img", "-h") == 0
    text = capsys.readouterr().out
    assert {_option(name) for name in REQUEST_OPTIONS} <= _listed(text)
    assert "prompt" in text


def test_serving_takes_no_option_of_a_request(run: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    run("serve", "--help")
    assert _listed(capsys.readouterr().out).isdisjoint(_option(name) for name in REQUEST_OPTIONS)


def test_help_lists_every_command(run: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--help") == 0
    listed = set(capsys.readouterr().out.split())
    assert {"serve", "txt2img", "img2img", "inpaint", "outpaint", "check", "test"} <= listed


def test_no_option_is_both_a_setting_and_part_of_a_request() -> None:
    assert set(Settings.model_fields).isdisjoint(REQUEST_OPTIONS)
    assert len(LEAVES) == len(set(LEAVES))


# what is given


@pytest.mark.parametrize("arguments", [[], ["serve"]])
def test_without_a_command_the_page_is_served(arguments: list[str], run: Callable[..., int], served: Served) -> None:
    assert run(*arguments) == 0
    assert [settings.port for settings in served] == [7860]


@pytest.mark.parametrize("command", [[], ["serve"]])
def test_flags_become_settings(command: list[str], run: Callable[..., int], served: Served, tmp_path: Path) -> None:
    flags = ["--port", 7001, "--listen", "--data-dir", tmp_path, "--precision", "bf16", "--device", "cuda:1"]
    assert run(*command, *flags) == 0
    (settings,) = served
    assert (settings.port, settings.listen, settings.share) == (7001, True, False)
    assert (settings.data_dir, settings.precision, settings.device) == (tmp_path.resolve(), "bf16", "cuda:1")


def test_a_flag_that_is_not_given_leaves_the_settings_file_alone(
    run: Callable[..., int], served: Served, tmp_path: Path
) -> None:
    (tmp_path / "settings.toml").write_text('port = 7005\nlisten = true\ntheme = "soft"')
    assert run("--data-dir", tmp_path, "--theme", "glass") == 0
    (settings,) = served
    assert (settings.port, settings.listen, settings.theme) == (7005, True, "glass")


def test_options_become_a_request_and_what_is_not_given_keeps_its_default(
    monkeypatch: pytest.MonkeyPatch, run: Callable[..., int]
) -> None:
    requests: list[Txt2Img] = []

    class Recorder:
        """A jobs service that takes a request and goes no further."""

        def submit(self, request: Txt2Img, save: bool) -> NoReturn:
            assert save
            requests.append(request)
            raise NothingIsRun

        def close(self) -> None:
            requests.append(requests[-1])

    monkeypatch.setattr("sys.argv", ["webui.py", "txt2img", "a red barn", "--steps", "3", "--negative-prompt", "rain"])
    with pytest.raises(NothingIsRun):
        cli.main(serve=lambda _settings: None, open_jobs=lambda _settings: Recorder())  # type: ignore[arg-type,return-value]
    submitted, at_the_end = requests
    assert submitted is at_the_end  # the jobs were closed
    assert submitted == Txt2Img(prompt="a red barn", negative_prompt="rain", sampling=Sampling(steps=3))


# what is refused

WRONG: dict[str, tuple[list[str], str]] = {
    "a port out of range": (["serve", "--port", "99999"], "--port 99999: "),
    "a port that is no number": (["serve", "--port", "http"], "'--port'"),
    "an option without its value": (["serve", "--port"], "'--port'"),
    "a wrong device": (["--device", "gpu"], "--device gpu: "),
    "a wrong choice": (["serve", "--precision", "fp8"], "'--precision'"),
    "an unknown option": (["serve", "--prot", "1"], "--prot"),
    "an unknown command": (["sevre"], "sevre"),
    "a word too many": (["serve", "now"], "now"),
    "no prompt": (["txt2img"], "'prompt'"),
    "no steps": (["txt2img", "a barn", "--steps", "0"], "--steps: "),
    "steps that are no number": (["txt2img", "a barn", "--steps", "many"], "'--steps'"),
    "a width between the steps": (["txt2img", "a barn", "--width", "100"], "--width: "),
    "too much guidance": (["txt2img", "a barn", "--guidance-scale", "99"], "--guidance-scale: "),
    "a seed below any": (["txt2img", "a barn", "--seed", "-2"], "--seed: "),
    "a wrong setting beside a good request": (["txt2img", "a barn", "--port", "0"], "--port 0: "),
}


@pytest.mark.parametrize(("arguments", "words"), WRONG.values(), ids=WRONG)
def test_a_wrong_value_gives_one_sentence_and_nothing_is_run(
    arguments: list[str], words: str, run: Callable[..., int], served: Served, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*arguments) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert len(said.err.splitlines()) == 1
    assert words in said.err
    assert "Traceback" not in said.err
    assert served == []


def test_a_settings_file_that_is_not_toml_gives_one_sentence(
    run: Callable[..., int], served: Served, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "settings.toml").write_text("port")
    assert run("--data-dir", tmp_path) == 1
    assert "is not valid TOML" in capsys.readouterr().err
    assert served == []
