"""Which models that describe lie in the folders, and what is wrong with those that cannot be used."""

import json
from pathlib import Path
from typing import Any

import pytest

from modules.catalog.describers import Describers, licence_of, read_lists
from modules.schema.errors import UnusableFile
from tests.catalog.headers_of import safetensors

TIMESFORMER = {"model_type": "timesformer", "num_frames": 16, "image_size": 448, "id2label": {"0": "a", "1": "b"}}


def put(folder: Path, config: Any, *, preprocessor: bool = True, weights: bool = True, **files: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(config if isinstance(config, str) else json.dumps(config))
    if preprocessor:
        (folder / "preprocessor_config.json").write_text("{}")
    if weights:
        (folder / "model.safetensors").write_bytes(safetensors({"weight": (2, 3)}))
    for name, text in files.items():
        (folder / name.replace("_dot_", ".")).write_text(text)
    return folder


def problem(tmp_path: Path) -> str:
    [entry] = Describers(tmp_path).entries()
    with pytest.raises(UnusableFile, match=entry.name):
        entry.usable()
    return entry.problem


def test_a_timesformer_is_known_by_its_files_alone(tmp_path: Path) -> None:
    put(tmp_path / "sub" / "hr", TIMESFORMER, README_dot_md="---\nlicense: cc-by-nc-4.0\n---\n")
    entry = Describers(tmp_path).find("SUB/HR", "labels")
    assert (entry.name, entry.kind, entry.frames, entry.side, entry.labels) == ("sub/hr", "labels", 16, 448, 2)
    assert entry.licence == "cc-by-nc-4.0"


def test_a_captioner_needs_a_timesformer_and_a_tokenizer(tmp_path: Path) -> None:
    config = {"model_type": "vision-encoder-decoder", "encoder": {"model_type": "timesformer", "num_frames": 8}}
    folder = put(tmp_path / "writer", config)
    assert "Its tokenizer is missing" in problem(tmp_path)
    (folder / "vocab.json").write_text("{}")
    (folder / "merges.txt").write_text("")
    assert Describers(tmp_path).find("", "labels", "sentences").kind == "sentences"
    put(tmp_path / "writer", {**config, "encoder": {"model_type": "vit"}})
    assert "sees through a 'vit'" in problem(tmp_path)


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"config": {"model_type": "bert"}}, "the kind 'bert'"),
        ({"config": "{"}, "config.json cannot be read"),
        ({"config": "[]"}, "config.json makes no sense"),
        ({"config": {**TIMESFORMER, "id2label": {}}}, "its answers have no names"),
        ({"config": {**TIMESFORMER, "num_frames": -1}}, "makes no sense (num_frames)"),
        ({"config": TIMESFORMER, "preprocessor": False}, "preprocessor_config.json is missing"),
        (
            {"config": TIMESFORMER, "preprocessor": False, "preprocessor_config_dot_json": '{"size": 100000}'},
            "preprocessor_config.json makes no sense (size)",
        ),
        ({"config": TIMESFORMER, "weights": False}, "model.safetensors is missing"),
        ({"config": TIMESFORMER, "weights": False, "pytorch_model_dot_bin": "x"}, "Pickles can run code"),
        ({"config": TIMESFORMER, "weights": False, "model_dot_safetensors_dot_index_dot_json": "{}"}, "several parts"),
        ({"config": TIMESFORMER, "weights": False, "model_dot_safetensors": "version 1"}, "Git LFS pointer"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, files: dict[str, Any], words: str) -> None:
    put(tmp_path / "some", **files)
    assert words in problem(tmp_path)


def test_without_a_model_it_is_said_what_to_put_where(tmp_path: Path) -> None:
    models = Describers(tmp_path / "TimeSformer")
    assert models.entries() == []
    with pytest.raises(UnusableFile, match="Put a TimeSformer as the Hugging Face hub stores it"):
        models.find("", "labels", "sentences")
    with pytest.raises(UnusableFile, match="There is no video model 'x'"):
        models.find("x", "labels", asked="video model")


def test_a_folder_that_changes_is_read_again_and_the_demo_comes_first(tmp_path: Path) -> None:
    models = Describers(tmp_path)
    put(tmp_path / "another", TIMESFORMER)
    put(tmp_path / "demo", TIMESFORMER, preprocessor=False)
    assert models.find("", "labels").name == "another"
    (tmp_path / "demo" / "preprocessor_config.json").write_text("{}")
    assert models.find("", "labels").name == "demo"


@pytest.mark.parametrize(
    ("card", "licence"),
    [
        ("---\nlicense: mit\n---\n", "mit"),
        ('---\ntags:\n- x\nlicense: "cc-by-nc-4.0"\n---\nlicense: no\n', "cc-by-nc-4.0"),
        ("# Title\nlicense: mit\n", ""),
        ("", ""),
    ],
)
def test_the_licence_is_the_one_of_the_cards_head(tmp_path: Path, card: str, licence: str) -> None:
    (tmp_path / "README.md").write_text(card)
    assert licence_of(tmp_path / "README.md") == licence


def test_lists_of_words_are_read_in_the_order_of_their_names(tmp_path: Path) -> None:
    (tmp_path / "2 b.txt").write_text("\ufeffx\n\ny z\n# note\nx\n", encoding="utf-8")
    (tmp_path / "1 a.txt").write_text("w\n")
    (tmp_path / "empty.txt").write_text("\n")
    (tmp_path / "README.md").write_text("words")
    assert read_lists(tmp_path) == [("1 a", ("w",)), ("2 b", ("x", "y z"))]
    assert read_lists(tmp_path / "none") == []
