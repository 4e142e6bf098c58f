"""The page's language. English sentences are the keys; locales/<language>.json holds their translations."""

import json
from collections.abc import Callable
from pathlib import Path

Translate = Callable[[str], str]

_FOLDER = Path(__file__).parent / "locales"


def translator(language: str) -> Translate:
    """A function from an English text to the page's language; what is not translated stays English."""
    file = _FOLDER / f"{language}.json"
    table: dict[str, str] = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    return lambda text: table.get(text, text)
