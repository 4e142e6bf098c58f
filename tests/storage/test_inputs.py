from pathlib import Path

import pytest
from PIL import Image

from modules.schema.errors import InvalidRequest
from modules.schema.media import digest_of
from modules.storage.inputs import Inputs
from tests.engine.pictures import png


def test_the_same_picture_is_kept_once_as_it_was_given(tmp_path: Path) -> None:
    inputs, data = Inputs(tmp_path / "inputs"), png(Image.new("RGB", (16, 16), "red"))
    digest = inputs.add(data)
    assert inputs.add(data) == digest == digest_of(data)
    assert [file.name for file in (tmp_path / "inputs").iterdir()] == [digest]
    assert inputs.read(digest) == data


def test_what_is_no_picture_is_not_kept(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="not a picture"):
        Inputs(tmp_path / "inputs").add(b"words")
    assert not (tmp_path / "inputs").exists()


def test_a_picture_that_is_gone_is_asked_for_again(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="Give the picture again"):
        Inputs(tmp_path).read("0" * 64)
