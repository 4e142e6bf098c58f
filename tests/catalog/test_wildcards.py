"""Lists in models/wildcards/."""

from pathlib import Path

import pytest

from modules.catalog.wildcards import Wildcards


@pytest.fixture
def wildcards(tmp_path: Path) -> Wildcards:
    files = {
        "colours.txt": "\ufeffred\n# a note\n\n  dark blue \n",
        "Animals/birds.txt": "owl\nlark\n",
        "Animals/fish.txt": "carp\n",
        "Animals/notes.md": "not this\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    return Wildcards(tmp_path)


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("colours", ["red", "dark blue"]),
        ("Colours", ["red", "dark blue"]),
        ("Animals/birds", ["owl", "lark"]),
        ("birds", ["owl", "lark"]),
        ("animals/*", ["owl", "lark", "carp"]),
        ("nothing", []),
        ("../colours", []),
    ],
)
def test_a_name_or_a_pattern_finds_its_lines(wildcards: Wildcards, name: str, lines: list[str]) -> None:
    assert wildcards.lines(name) == lines


def test_without_a_folder_there_are_no_lists(tmp_path: Path) -> None:
    assert Wildcards(tmp_path / "nowhere").names() == []
