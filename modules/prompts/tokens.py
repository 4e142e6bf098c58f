"""CLIP's tokenizer (https://arxiv.org/abs/2103.00020, section 2.4) over the vocabulary in clip/."""

import re
from functools import cache
from pathlib import Path
from typing import Any

import ftfy
from tokenizers import Regex, Tokenizer, models, pre_tokenizers

START, END = 49406, 49407
"""The tokens around a text."""

VOCABULARY = 49408
"""How many tokens there are."""

COMMA = 267
"""A comma at the end of a word."""

_FOLDER = Path(__file__).parent / "clip"
_SPECIAL = ("<|startoftext|>", "<|endoftext|>")
_WORD = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|\p{L}+|\p{N}|[^\s\p{L}\p{N}]+"


def tokenize(text: str) -> list[int]:
    """A text's tokens, without those around it. The text is mended and lowered as CLIP's authors did."""
    plain = re.sub(r"\s+", " ", ftfy.fix_text(text)).strip().lower()
    return _tokenizer().encode(plain, add_special_tokens=False).ids


@cache
def _tokenizer() -> Any:
    bpe: Any = models.BPE  # its stubs say little
    words = bpe.from_file(
        str(_FOLDER / "vocab.json"), str(_FOLDER / "merges.txt"), unk_token=_SPECIAL[1], end_of_word_suffix="</w>"
    )
    tokenizer: Any = Tokenizer(words)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_WORD), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.add_special_tokens(list(_SPECIAL))
    assert tokenizer.get_vocab_size() == VOCABULARY, "the bundled CLIP vocabulary is not whole"
    return tokenizer
