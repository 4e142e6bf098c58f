"""What lies in models/ESRGAN/ is told apart by its header, and what cannot be used says why."""

from pathlib import Path

import pytest
import torch

from modules.catalog import upscalers as catalog
from modules.catalog.headers import Header, read_header
from modules.catalog.upscaler_architecture import Compact, Foreign, Rrdb, UpscalerArchitecture, detect_upscaler
from modules.catalog.upscalers import NEEDS_SPANDREL, UpscalerFiles, all_upscalers
from modules.schema.errors import UnusableFile
from modules.schema.upscaling import Upscaler
from tests.catalog.headers_of import Shapes, header_of
from tests.engine import upscaler_weights as made

REAL_ESRGAN = Rrdb(width=64, growth=32, blocks=23, doublings=2)
ARCHITECTURES = [
    REAL_ESRGAN,
    Rrdb(width=64, growth=32, blocks=6, doublings=2),
    Rrdb(width=64, growth=32, blocks=23, doublings=2, unshuffle=2),
    Rrdb(width=64, growth=32, blocks=23, doublings=2, unshuffle=4),
    Rrdb(width=24, growth=8, blocks=1, doublings=0),
    Rrdb(width=24, growth=8, blocks=1, doublings=1),
    Rrdb(width=24, growth=8, blocks=1, doublings=3),
    Rrdb(width=64, growth=32, blocks=23, doublings=2, plus=True),
    Compact(width=64, layers=16, scale=4, slopes=64),
    Compact(width=64, layers=32, scale=2, slopes=64),
    Compact(width=32, layers=8, scale=1, slopes=1),
]


def shapes_of(architecture: UpscalerArchitecture) -> Shapes:
    assert not isinstance(architecture, Foreign)
    return dict(architecture.shapes())


def renamed(shapes: Shapes, spelling: object) -> Header:
    doublings = sum(name.startswith("conv_up") and name.endswith(".weight") for name in shapes)
    return header_of({spelling(name, doublings): shape for name, shape in shapes.items()})  # type: ignore[operator]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_sizes_are_inferred_from_the_shapes(architecture: Rrdb | Compact) -> None:
    assert detect_upscaler(header_of(shapes_of(architecture))) == architecture


@pytest.mark.parametrize("architecture", [one for one in ARCHITECTURES if isinstance(one, Rrdb)])
def test_all_spellings_of_one_network_are_the_same(architecture: Rrdb) -> None:
    for spelling in (made.middle, made.oldest(architecture.blocks), made.ema):
        assert detect_upscaler(renamed(shapes_of(architecture), spelling)) == architecture


def test_real_esrgan_x4_has_the_names_and_the_number_of_weights_of_the_published_one() -> None:
    shapes = REAL_ESRGAN.shapes()
    assert sum(torch.Size(shape).numel() for shape in shapes.values()) == 16_697_987
    assert shapes["body.22.rdb3.conv5.weight"] == (64, 192, 3, 3)
    oldest = {made.oldest(23)(name, 2) for name in shapes}
    assert {"model.0.weight", "model.1.sub.23.weight", "model.3.weight", "model.6.bias", "model.8.weight",
            "model.10.weight", "model.1.sub.0.RDB1.conv1.0.weight"} <= oldest  # fmt: skip


def test_real_esrgans_compact_has_the_number_of_weights_of_the_published_one() -> None:
    shapes = Compact(width=64, layers=32, scale=4, slopes=64).shapes()
    assert sum(torch.Size(shape).numel() for shape in shapes.values()) == 1_213_296


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("conv_last.weight", (1, 64, 3, 3)),
        ("conv_first.weight", (64, 4, 3, 3)),
        ("conv_first.weight", (64, 3)),
        ("body.3.rdb2.conv4.bias", (31,)),
        ("conv_hr.weight", None),
        ("body.7.rdb1.conv1.weight", None),
    ],
)
def test_an_esrgan_whose_weights_do_not_fit_together_says_so(name: str, shape: tuple[int, ...] | None) -> None:
    shapes = shapes_of(REAL_ESRGAN)
    shapes.pop(name)
    if shape is not None:
        shapes[name] = shape
    with pytest.raises(UnusableFile, match="do not fit together"):
        detect_upscaler(header_of(shapes))


def test_a_compact_upscaler_without_the_slopes_of_its_activations_says_so() -> None:
    shapes = shapes_of(Compact(width=8, layers=2, scale=2, slopes=8))
    del shapes["body.3.weight"]
    with pytest.raises(UnusableFile, match="do not fit together"):
        detect_upscaler(header_of(shapes))


def test_a_relative_with_more_to_it_is_not_taken_for_one_of_ours() -> None:
    shapes = shapes_of(REAL_ESRGAN)
    assert detect_upscaler(header_of({**shapes, "attention.weight": (64, 64)})) == Foreign()


@pytest.fixture
def files(tmp_path: Path) -> UpscalerFiles:
    made.save(tmp_path, "4x-Sharp", made.drawn(Rrdb(width=4, growth=2, blocks=1, doublings=2)))
    made.save(tmp_path, "more/2x-Small", made.drawn(Compact(width=4, layers=1, scale=2, slopes=4)))
    made.save(tmp_path, "SwinIR", {"conv_first.weight": torch.zeros(4, 3, 3, 3), "layers.0.x": torch.zeros(2)})
    (tmp_path / "models" / "ESRGAN" / "empty.safetensors").touch()
    (tmp_path / "models" / "ESRGAN" / "old.pth").write_bytes(b"\x80\x02")
    return UpscalerFiles(tmp_path / "models" / "ESRGAN")


def test_the_folder_is_listed_with_what_is_wrong(files: UpscalerFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalog, "find_spec", lambda name: None)
    listed = {entry.name: entry for entry in files.entries()}
    assert list(listed) == ["4x-Sharp", "empty", "more/2x-Small", "SwinIR"]
    assert [name for name, entry in listed.items() if not entry.problem] == ["4x-Sharp", "more/2x-Small"]
    assert listed["4x-Sharp"].usable().scale == 4
    assert "nothing has arrived yet" in listed["empty"].problem
    assert listed["SwinIR"].problem == NEEDS_SPANDREL
    with pytest.raises(UnusableFile, match=r"^SwinIR: .*requirements-upscalers\.txt"):
        listed["SwinIR"].usable()


def test_what_spandrel_may_know_is_usable_where_it_is_installed(
    files: UpscalerFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalog, "find_spec", lambda name: name)
    assert files.find("SwinIR").usable() == Foreign()  # type: ignore[union-attr]


def test_a_file_is_found_by_its_path_or_its_last_part_in_any_case(files: UpscalerFiles) -> None:
    for name in ("more/2x-Small", "2x-small", "MORE/2X-SMALL"):
        entry = files.find(name)
        assert entry is not None and entry.name == "more/2x-Small"
    assert files.find("2x") is None


def test_the_list_follows_the_folder(files: UpscalerFiles) -> None:
    before = [one.name for one in all_upscalers([], files)]
    (files.folder / "4x-Sharp.safetensors").unlink()
    after = [one.name for one in all_upscalers([], files)]
    assert set(before) - set(after) == {"4x-Sharp"}


def test_a_registered_upscaler_keeps_its_name_from_a_file(files: UpscalerFiles) -> None:
    mine = Upscaler("4X-SHARP")
    choices = all_upscalers([mine], files)
    assert choices[0] is mine
    assert "4x-Sharp" not in [one.name for one in choices]


def test_a_folder_that_is_not_there_is_empty(tmp_path: Path) -> None:
    assert UpscalerFiles(tmp_path / "none").entries() == []


def test_a_file_on_disk_is_detected_as_it_was_made(files: UpscalerFiles) -> None:
    header = read_header(files.folder / "4x-Sharp.safetensors")
    assert detect_upscaler(header) == Rrdb(width=4, growth=2, blocks=1, doublings=2)
