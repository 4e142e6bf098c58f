from pathlib import Path
from typing import Any

import pytest

from modules.schema.errors import KararliError
from modules.settings import ENVIRONMENT_PREFIX, FILE_NAME, REPOSITORY, Settings, load_settings

# of each field: what is given, and what that means, in the settings file, in the environment and as a flag
GIVEN: dict[str, tuple[tuple[str, Any], tuple[str, Any], tuple[Any, Any]]] = {
    "port": (("7001", 7001), ("7002", 7002), (7003, 7003)),
    "host": (('"10.0.0.1"', "10.0.0.1"), ("10.0.0.2", "10.0.0.2"), ("10.0.0.3", "10.0.0.3")),
    "listen": (("true", True), ("false", False), (True, True)),
    "share": (("true", True), ("0", False), (True, True)),
    "device": (('"cpu"', "cpu"), ("mps", "mps"), ("cuda:1", "cuda:1")),
    "precision": (('"full"', "full"), ("bf16", "bf16"), ("fp16", "fp16")),
    "attention": (('"xformers"', "xformers"), ("sdpa", "sdpa"), ("xformers", "xformers")),
    "vram": (('"low"', "low"), ("medium", "medium"), ("high", "high")),
    "backend": (('"inline"', "inline"), ("ray", "ray"), ("inline", "inline")),
    "theme": (('"soft"', "soft"), ("glass", "glass"), ("ocean", "ocean")),
    "lang": (('"tr"', "tr"), ("en", "en"), ("tr", "tr")),
    "input_root": (('"/a"', Path("/a")), ("/b", Path("/b")), (Path("/c"), Path("/c"))),
    "largest_video": (("100", 100), ("200", 200), (300, 300)),
    "open": (("true", True), ("no", False), (True, True)),
}


def _load(folder: Path, file: str = "", flags: dict[str, Any] | None = None, **variables: str) -> Settings:
    if file:
        (folder / FILE_NAME).write_text(file, encoding="utf-8")
    environment = {ENVIRONMENT_PREFIX + name.upper(): value for name, value in variables.items()}
    return load_settings({"data_dir": folder, **(flags or {})}, environment)


def _refusal(folder: Path, file: str = "", flags: dict[str, Any] | None = None, **variables: str) -> str:
    with pytest.raises(KararliError) as refused:
        _load(folder, file, flags, **variables)
    return str(refused.value)


# where a value comes from


def test_every_setting_is_tried_below() -> None:
    assert set(GIVEN) | {"data_dir"} == set(Settings.model_fields)


@pytest.mark.parametrize("name", GIVEN)
def test_what_is_not_given_has_its_default(name: str, tmp_path: Path) -> None:
    assert getattr(_load(tmp_path), name) == Settings.model_fields[name].default


@pytest.mark.parametrize("name", GIVEN)
def test_the_file_comes_before_the_default(name: str, tmp_path: Path) -> None:
    (written, meant), *_ = GIVEN[name]
    assert meant != Settings.model_fields[name].default
    assert getattr(_load(tmp_path, f"{name} = {written}"), name) == meant


@pytest.mark.parametrize("name", GIVEN)
def test_the_environment_comes_before_the_file(name: str, tmp_path: Path) -> None:
    (written, in_file), (variable, meant), _ = GIVEN[name]
    assert meant != in_file
    assert getattr(_load(tmp_path, f"{name} = {written}", **{name: variable}), name) == meant


@pytest.mark.parametrize("name", GIVEN)
def test_a_flag_comes_before_the_environment(name: str, tmp_path: Path) -> None:
    (written, _), (variable, in_environment), (flag, meant) = GIVEN[name]
    assert meant != in_environment
    assert getattr(_load(tmp_path, f"{name} = {written}", {name: flag}, **{name: variable}), name) == meant


@pytest.mark.parametrize("name", GIVEN)
def test_a_flag_that_is_not_given_hides_nothing(name: str, tmp_path: Path) -> None:
    (written, meant), *_ = GIVEN[name]
    assert getattr(_load(tmp_path, f"{name} = {written}", {name: None}), name) == meant


def test_an_empty_variable_counts_as_not_given(tmp_path: Path) -> None:
    assert _load(tmp_path, "port = 7001", port="").port == 7001


def test_other_peoples_variables_are_left_alone(tmp_path: Path) -> None:
    assert load_settings({"data_dir": tmp_path}, {"PORT": "1", "HOME": "/", "KARARLI_X": "1"}).port == 7860


def test_settings_cannot_be_changed(tmp_path: Path) -> None:
    settings = _load(tmp_path)
    with pytest.raises(ValueError, match="frozen"):
        settings.port = 1  # type: ignore[misc]


# the data folder


def test_the_data_folder_is_the_programs_own_if_none_is_given() -> None:
    assert load_settings({}, {}).data_dir == REPOSITORY
    assert (REPOSITORY / "webui.py").is_file()


def test_the_data_folders_own_file_is_read(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text("port = 7001")
    assert load_settings({}, {"KARARLI_DATA_DIR": str(tmp_path)}).port == 7001
    assert load_settings({"data_dir": tmp_path}, {"KARARLI_DATA_DIR": "/elsewhere"}).port == 7001


def test_a_relative_data_folder_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_settings({"data_dir": Path("sub/../data")}, {}).data_dir == tmp_path.resolve() / "data"


def test_a_home_folder_is_filled_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert load_settings({}, {"KARARLI_DATA_DIR": "~/data"}).data_dir == tmp_path.resolve() / "data"


def test_every_path_hangs_below_the_data_folder(tmp_path: Path) -> None:
    settings = _load(tmp_path)
    properties = [name for name, member in vars(Settings).items() if isinstance(member, property)]
    paths = {name: path for name in properties if isinstance(path := getattr(settings, name), Path)}
    assert {"models", "checkpoints", "extensions", "outputs", "database", "cache"} <= set(paths)
    assert [name for name, path in paths.items() if not path.is_relative_to(tmp_path.resolve())] == []


def test_asking_for_paths_makes_no_folders(tmp_path: Path) -> None:
    settings = _load(tmp_path)
    assert settings.database.is_relative_to(settings.outputs)
    assert list(tmp_path.iterdir()) == []


def test_listening_to_all_addresses_comes_before_the_host() -> None:
    assert Settings(host="10.0.0.1").address == "10.0.0.1"
    assert Settings(host="10.0.0.1", listen=True).address == "0.0.0.0"


# what is refused


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("port", "0"), ("port", "65536"), ("port", "http"), ("port", "7860.5"), ("listen", "perhaps"),
        ("device", "gpu"), ("device", "cuda:"), ("device", "cpu "), ("precision", "fp8"), ("attention", "flash"),
        ("vram", "none"), ("backend", "thread"), ("theme", "dark"), ("lang", "de"), ("open", "2"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_named_with_the_place_where_it_was_given(name: str, value: str, tmp_path: Path) -> None:
    description = Settings.model_fields[name].description
    assert description
    flag = _refusal(tmp_path, flags={name: value})
    variable = _refusal(tmp_path, **{name: value})
    file = _refusal(tmp_path, f'{name} = "{value}"')
    assert flag.startswith(f"--{name} {value}: ")
    assert variable.startswith(f"KARARLI_{name.upper()}={value}: ")
    assert file.startswith(f"{name} in {tmp_path.resolve() / FILE_NAME}: ")
    assert all(sentence.endswith(f"({description})") for sentence in (flag, variable, file))
    assert len({sentence.split(": ")[-1] for sentence in (flag, variable, file)}) == 1


def test_of_a_wrong_value_that_is_given_twice_the_one_that_counts_is_named(tmp_path: Path) -> None:
    assert _refusal(tmp_path, 'port = "x"', port="y").startswith("KARARLI_PORT=y: ")


def test_a_wrong_value_in_the_file_does_not_matter_when_another_one_counts(tmp_path: Path) -> None:
    assert _load(tmp_path, 'port = "x"', port="7001").port == 7001


@pytest.mark.parametrize("file", ["prot = 1", "[server]\nport = 1", '"two words" = 1'])
def test_an_unknown_name_in_the_file_is_refused_with_all_names(file: str, tmp_path: Path) -> None:
    sentence = _refusal(tmp_path, file)
    assert f"in {tmp_path.resolve() / FILE_NAME}: there is no such setting" in sentence
    assert all(name in sentence for name in Settings.model_fields)


@pytest.mark.parametrize("file", ["port", "port = ", "port = 1\nport = 2", "= 3", '"'])
def test_a_file_that_is_not_toml_is_refused(file: str, tmp_path: Path) -> None:
    sentence = _refusal(tmp_path, file)
    assert str(tmp_path.resolve() / FILE_NAME) in sentence
    assert sentence.endswith("Mend it, or remove it.")


def test_a_file_in_another_encoding_is_refused(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes('host = "büro"'.encode("latin-1"))
    assert _refusal(tmp_path).endswith("Mend it, or remove it.")


def test_a_data_folder_in_the_file_is_refused(tmp_path: Path) -> None:
    assert _refusal(tmp_path, 'data_dir = "/elsewhere"').endswith("Use --data-dir.")
