import json
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from modules.schema.animation import Keyframe
from modules.schema.errors import InvalidRequest
from modules.schema.requests import Interpolate, Request
from modules.storage.infotext import write_infotext
from modules.storage.keys import NOT_IN_THE_TEXT, ROWS
from modules.storage.reading import read_text
from modules.storage.script import read_script
from modules.ui.form import leaf_paths
from tests.storage.painting import painted


def test_keyframes_are_read_from_lines_and_from_files(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    file.write_text(json.dumps([{"time": 2, "prompt": "c", "easing": "cubic", "picture": "a.png"}]))
    kept: list[Path] = []

    def keep(path: Path) -> str:
        kept.append(path)
        return "0" * 64

    keyframes = read_script(["0: a: b", "1.5:  b", str(file)], keep)
    assert [(one.time, one.prompt) for one in keyframes] == [(0.0, "a: b"), (1.5, "b"), (2.0, "c")]
    assert (keyframes[2].easing, keyframes[2].picture, kept) == ("cubic", "0" * 64, [tmp_path / "a.png"])


@pytest.mark.parametrize(
    ("content", "words"),
    [("{", "is no JSON"), ("{}", "a list of keyframes"), ('[{"tme": 1}]', "tme: Extra inputs"), (None, "no keyframe")],
)
def test_what_is_no_keyframe_is_refused_with_a_sentence(content: str | None, words: str, tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    if content is not None:
        file.write_text(content)
    with pytest.raises(InvalidRequest, match=words):
        read_script([str(file)], str)


def test_every_value_of_an_animation_is_read_back_from_its_text() -> None:
    asked = TypeAdapter(Request).validate_python(
        {
            "task": "interpolate", "prompt": "sharp", "width": 64, "height": 64, "checkpoint": "demo.safetensors",
            "seed": 5, "mode": "camera", "text_path": "slerp", "orbit": 0.5, "strength": 0.3,
            "keyframes": [Keyframe(prompt='a "b", c: d\ne'), Keyframe(time=2, easing="custom", expression="t ** 2")],
            "camera": {"zoom": "0:(1), 9:(2)", "border": "wrap", "colours": False, "pan_x": "3"},
            "filming": {"fps": 30, "closing": 1.5, "smooth": 3, "format": "webm", "keep_frames": True},
        }
    )  # fmt: skip
    assert isinstance(asked, Interpolate)
    values = read_text(write_infotext(asked, painted())).values
    paths = set(leaf_paths(Interpolate)) - NOT_IN_THE_TEXT
    assert paths <= {path for row in ROWS for path in row.paths}
    for path in paths - {"stochastic.eta"}:
        value: object = asked
        for part in path.split("."):
            value = getattr(value, part)
        assert values[path] == value, path
