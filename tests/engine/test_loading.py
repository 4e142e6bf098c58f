"""From files to models: other spellings, other number formats, files that go bad, and memory that is given back."""

import gc
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from modules.catalog.architecture import TEXT, UNET, VAE
from modules.catalog.checkpoints import Catalog
from modules.catalog.headers import read_header
from modules.engine.devices import choose_hardware
from modules.engine.engine import Engine
from modules.engine.loading import Models
from modules.schema.errors import KararliError, NotEnoughMemory, UnusableFile
from modules.schema.events import Job
from modules.settings import REPOSITORY, load_settings
from tests.conftest import DEMO
from tests.engine.checkpoints import Sizes, write_checkpoint
from tests.engine.conftest import build, images, request_for
from tests.looking import look

RENAMED: dict[str, Callable[[str], str]] = {
    "no text_model": lambda name: name.replace(TEXT, "cond_stage_model.transformer."),
    "sdxl's text encoder name": lambda name: name.replace(TEXT, "conditioner.embedders.0.transformer.text_model."),
    "comfy's text encoder name": lambda name: name.replace(TEXT, "text_encoders.clip_l.transformer.text_model."),
    "vae": lambda name: name.replace(VAE, "vae."),
    "diffusion_model": lambda name: name.replace(UNET, "diffusion_model."),
    "bare unet": lambda name: name.removeprefix(UNET),
}


def add_variant(data_dir: Path, name: str, tensors: dict[str, torch.Tensor]) -> Path:
    file = data_dir / "models" / "Stable-diffusion" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, file, metadata=read_header(DEMO).metadata)
    return file


@pytest.mark.parametrize("variant", list(RENAMED))
def test_other_spellings_of_the_names_give_the_same_pixels(data_dir: Path, engine: Engine, variant: str) -> None:
    tensors = {RENAMED[variant](name): tensor for name, tensor in load_file(DEMO).items()}
    tensors["model_ema.decay"] = torch.ones(1)
    add_variant(data_dir, "other.safetensors", tensors)
    request = request_for("a red circle on a blue background", 3, steps=3)
    other = images(build(data_dir), request.model_copy(update={"checkpoint": "other.safetensors"}))
    assert other[0].tobytes() == images(engine, request)[0].tobytes()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_files_in_other_number_formats_paint_the_same_thing(data_dir: Path, dtype: torch.dtype) -> None:
    add_variant(data_dir, "sub/folder/other.safetensors", {n: t.to(dtype) for n, t in load_file(DEMO).items()})
    request = request_for("a red circle on a blue background", 3, checkpoint="sub/folder/other.safetensors")
    seen = look(images(build(data_dir), request)[0])
    assert (seen.colour, seen.shape, seen.background) == ("red", "circle", "blue")


def test_a_file_that_is_replaced_is_read_again(data_dir: Path) -> None:
    engine = build(data_dir)
    request = request_for("a red circle on a blue background", 3, steps=3, checkpoint="mine.safetensors")
    tensors = load_file(DEMO)
    file = add_variant(data_dir, "mine.safetensors", tensors)
    before = images(engine, request)[0]
    file.unlink()
    tensors[f"{UNET}out.2.bias"] = tensors[f"{UNET}out.2.bias"] + 0.5
    add_variant(data_dir, "mine.safetensors", tensors)
    assert images(engine, request)[0].tobytes() != before.tobytes()


def test_a_weight_of_another_shape_is_refused_with_its_name(data_dir: Path) -> None:
    tensors = load_file(DEMO)
    tensors[f"{UNET}middle_block.0.in_layers.0.weight"] = torch.ones(7)
    add_variant(data_dir, "odd.safetensors", tensors)
    with pytest.raises(UnusableFile, match=r"odd\.safetensors: 1 weights of the UNet have another shape .*mid_block"):
        images(build(data_dir), request_for("x", checkpoint="odd.safetensors"))


def test_a_missing_weight_is_refused_with_its_name(data_dir: Path) -> None:
    tensors = load_file(DEMO)
    del tensors[f"{VAE}decoder.norm_out.bias"]
    add_variant(data_dir, "odd.safetensors", tensors)
    with pytest.raises(UnusableFile, match=r"odd\.safetensors: 1 weights of the VAE are missing .*conv_norm_out"):
        images(build(data_dir), request_for("x", checkpoint="odd.safetensors"))


def test_a_file_that_vanishes_while_loading_gives_a_sentence_and_the_next_job_works(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = build(data_dir)
    file = add_variant(data_dir, "gone.safetensors", load_file(DEMO))
    find = Catalog.find

    def find_then_lose(catalog: Catalog, name: str):
        found = find(catalog, name)
        if name == "gone.safetensors":
            file.unlink(missing_ok=True)
        return found

    monkeypatch.setattr(Catalog, "find", find_then_lose)
    with pytest.raises(UnusableFile, match=r"gone\.safetensors: The file could not be read .* Refresh the list"):
        images(engine, request_for("x", checkpoint="gone.safetensors"))
    monkeypatch.undo()
    assert images(engine, request_for("a red circle", steps=2))


def test_a_broken_file_gives_the_same_sentence_in_the_list_and_at_the_job(data_dir: Path) -> None:
    file = data_dir / "models" / "Stable-diffusion" / "broken.safetensors"
    file.write_bytes(DEMO.read_bytes()[:-1000])
    settings = load_settings({"data_dir": data_dir}, {})
    entry = Catalog(settings).find("broken.safetensors")
    with pytest.raises(UnusableFile) as refused:
        images(build(data_dir), request_for("x", checkpoint="broken.safetensors"))
    assert entry.problem
    assert str(refused.value) == f"broken.safetensors: {entry.problem}"


def test_switching_ten_times_takes_no_more_memory_than_switching_twice(data_dir: Path) -> None:
    sizes = Sizes(channels=128, text_layers=4, text_width=512, text_intermediate=2048, vae_channels=64)
    folder = data_dir / "models" / "Stable-diffusion"
    files = [write_checkpoint(folder / f"{number}.safetensors", sizes, number) for number in (1, 2)]
    settings = load_settings({"data_dir": data_dir, "precision": "full"}, {})
    models = Models(Catalog(settings), choose_hardware(settings))
    memory: list[int] = []
    for turn in range(10):
        model = models.load(files[turn % 2].name)
        with torch.inference_mode():
            model.vae.decode(torch.zeros(1, 4, 8, 8))
        del model
        memory.append(_resident())
    models.unload()
    freed = memory[-1] - _resident()
    print(f"\nresident after switch 1-10: {[round(each / 2**20) for each in memory]} MB, freed {freed / 2**20:.0f} MB")
    assert memory[-1] <= memory[1] * 1.05
    assert freed > 0.5 * files[0].stat().st_size


def test_too_little_memory_is_a_sentence_that_names_what_to_lower(data_dir: Path) -> None:
    def greedy(job: Job, bench: object, report: object):
        torch.empty(2**50)

    engine = build(data_dir)
    engine._tasks = {"txt2img": greedy}
    with pytest.raises(NotEnoughMemory, match=r"memory for 4 x 512 x 256 pixels at once\. Lower the batch size"):
        images(engine, request_for("x", width=512, height=256, batch_size=4))


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        ({"device": "cuda:7"}, "There is no cuda:7 here"),
        ({"device": "mps"}, "There is no mps device here"),
        ({"attention": "xformers", "device": "cpu"}, "xformers does not work here"),
    ],
)
def test_hardware_that_is_not_there_is_refused_with_a_way_out(make_settings, flags: dict, sentence: str) -> None:
    if flags["device"] == "mps" and torch.backends.mps.is_available():
        pytest.skip("this machine has mps")
    with pytest.raises(KararliError, match=rf"{sentence}.*Start with --"):
        choose_hardware(make_settings(**flags))


def test_precision_full_is_float32_throughout(data_dir: Path) -> None:
    settings = load_settings({"data_dir": data_dir, "precision": "full", "device": "cpu"}, {})
    hardware = choose_hardware(settings)
    model = Models(Catalog(settings), hardware).load("")
    parts = (model._unet, model._text.model, model.vae.model)
    assert {weight.dtype for part in parts for weight in part.parameters()} == {torch.float32}
    assert hardware.runtime().dtype == "float32"


def test_little_graphics_memory_moves_idle_parts_away_and_paints_the_same(data_dir: Path, engine: Engine) -> None:
    request = request_for("a red circle on a blue background", 3, steps=3)
    low = build(data_dir, vram="low")
    assert images(low, request)[0].tobytes() == images(engine, request)[0].tobytes()


def _resident() -> int:
    """Bytes of this process in memory, without the pages of mapped files."""
    gc.collect()
    fields = Path("/proc/self/statm").read_text().split()
    return (int(fields[1]) - int(fields[2])) * 4096


SHORT_OF_MEMORY = """
import resource, sys
from pathlib import Path
from modules.schema.errors import NotEnoughMemory
from tests.engine.conftest import build, images, request_for

engine = build(Path(sys.argv[1]))
images(engine, request_for("a red circle", steps=1))
pages = int(Path("/proc/self/statm").read_text().split()[0])
limit = pages * 4096 + 200 * 2**20
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
try:
    images(engine, request_for("a red circle", steps=1, width=2048, height=2048))
except NotEnoughMemory as error:
    print(error)
images(engine, request_for("a red circle", steps=1))
print("and the next one works")
"""


def test_a_picture_that_does_not_fit_into_memory_is_refused_and_the_next_one_works(data_dir: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SHORT_OF_MEMORY, str(data_dir)], capture_output=True, text=True, cwd=REPOSITORY
    )
    assert done.stdout.splitlines() == [
        "There is not enough memory for 1 x 2048 x 2048 pixels at once. Lower width and height and try again.",
        "and the next one works",
    ], done.stderr
