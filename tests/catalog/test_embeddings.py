"""Learned words in models/embeddings/."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from modules.catalog.embeddings import Embeddings


@pytest.fixture
def embeddings(tmp_path: Path) -> Embeddings:
    return Embeddings(tmp_path)


def write(file: Path, **tensors: torch.Tensor) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, file)


@pytest.mark.parametrize(
    ("tensors", "chosen", "size"),
    [
        ({"emb_params": torch.zeros(4, 768)}, "emb_params", (4, 768)),
        ({"string_to_param.*": torch.zeros(2, 768)}, "string_to_param.*", (2, 768)),
        ({"<my-concept>": torch.zeros(768)}, "<my-concept>", (1, 768)),
        ({"emb_params": torch.zeros(1, 64), "step": torch.zeros(1)}, "emb_params", (1, 64)),
    ],
)
def test_the_known_layouts_are_read(
    tmp_path: Path, embeddings: Embeddings, tensors: dict[str, torch.Tensor], chosen: str, size: tuple[int, int]
) -> None:
    write(tmp_path / "styles" / "My-Style.safetensors", **tensors)
    [entry] = embeddings.entries()
    assert (entry.name, entry.tensor, (entry.vectors, entry.width), entry.problem) == ("My-Style", chosen, size, "")


def test_a_file_that_is_something_else_is_listed_with_the_reason(tmp_path: Path, embeddings: Embeddings) -> None:
    write(tmp_path / "sdxl.safetensors", clip_l=torch.zeros(1, 768), clip_g=torch.zeros(1, 1280))
    write(tmp_path / "weights.safetensors", conv=torch.zeros(3, 3, 3, 3))
    (tmp_path / "pointer.safetensors").write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    problems = {entry.name: entry.problem for entry in embeddings.entries()}
    assert "no textual inversion" in problems["sdxl"]
    assert "no textual inversion" in problems["weights"]
    assert "Git LFS" in problems["pointer"]


def test_a_file_that_changes_is_read_again_and_one_that_goes_is_gone(tmp_path: Path, embeddings: Embeddings) -> None:
    file = tmp_path / "style.safetensors"
    write(file, emb_params=torch.zeros(1, 768))
    assert [entry.vectors for entry in embeddings.entries()] == [1]
    write(file, emb_params=torch.zeros(5, 768))
    assert [entry.vectors for entry in embeddings.entries()] == [5]
    file.unlink()
    assert embeddings.entries() == []
