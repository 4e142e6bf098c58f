"""Clips, opened again by FFmpeg and by Pillow."""

import io
import json
import re
import subprocess
import sys
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageSequence

from modules.schema.animation import Filming, Keyframe
from modules.schema.errors import KararliError
from modules.schema.media import Clip, Picture
from modules.schema.requests import Interpolate
from modules.settings import REPOSITORY
from modules.storage import filming
from modules.storage.files import encode_png
from modules.storage.filming import ENDINGS, Shot, film
from modules.storage.metadata import read_metadata
from modules.storage.opening import UnreadablePicture

TEXTS = ("a red barn; ığ = #1\nNegative prompt: rain\nSteps: 20, Sampler: Euler, Seed: 7", '{"a": "b\\\\c", "ü": [1]}')
FORMATS = ("mp4", "webm", "gif", "apng", "webp")


def drawn(number: int, size: tuple[int, int] = (128, 96)) -> Image.Image:
    image = Image.new("RGB", size, (245, 245, 245))
    left = 10 + 6 * number % max(size[0] - 40, 1)
    ImageDraw.Draw(image).ellipse((left, 30, left + 30, 60), fill=(228, 20, 35))
    return image


def shot(folder: Path, count: int = 9, size: tuple[int, int] = (128, 96), hold: float = 0.0, **values: object) -> Shot:
    """Frames of a circle that moves to the right, eight a second."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{number:05}.png" for number in range(count)]
    for number, path in enumerate(paths):
        path.write_bytes(encode_png(Picture.of(drawn(number, size)), "words"))
    keyframes = (Keyframe(hold=hold), Keyframe(time=(count - 1) / 8))
    closing = float(values.pop("closing", 0.0))  # type: ignore[arg-type]
    return Shot(Interpolate(keyframes=keyframes, filming=Filming(fps=8, closing=closing, **values)), paths)  # type: ignore[arg-type]


def made(shot: Shot, folder: Path) -> tuple[Path, Clip]:
    kind = shot.request.filming.format
    target = folder / f"clip.{ENDINGS.get(kind, kind)}"
    return target, film(shot, TEXTS, target, lambda _share: None)


def frames_in(path: Path, kind: str) -> tuple[list[Image.Image], float]:
    """All frames, and the seconds that they last."""
    if kind in ("mp4", "webm"):
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-i", str(path), "-f", "rawvideo"]
        ended = subprocess.run([*command, "-pix_fmt", "rgb24", "-"], capture_output=True, check=True)
        said = ended.stderr.decode()
        width, height = map(int, re.search(r"Video: .*?, (\d+)x(\d+)[, ]", said).groups())  # type: ignore[union-attr]
        hours, minutes, rest = re.search(r"Duration: (\d+):(\d+):([\d.]+)", said).groups()  # type: ignore[union-attr]
        size = 3 * width * height
        whole = [ended.stdout[place : place + size] for place in range(0, len(ended.stdout), size)]
        lasts = int(hours) * 3600 + int(minutes) * 60 + float(rest)
        return [Image.frombytes("RGB", (width, height), data) for data in whole], lasts
    pictures, seconds = [], 0.0
    with Image.open(path) as clip:
        for frame in ImageSequence.Iterator(clip):
            pictures.append(frame.convert("RGB"))
            seconds += clip.info["duration"] / 1000
    return pictures, seconds


@pytest.mark.parametrize("kind", FORMATS)
def test_a_clip_has_the_frames_the_size_and_the_pace_that_were_asked_for(kind: str, tmp_path: Path) -> None:
    path, clip = made(shot(tmp_path / "frames", format=kind), tmp_path)
    assert clip == Clip(kind, 128, 96, 9, 8)
    pictures, seconds = frames_in(path, kind)
    assert [picture.size for picture in pictures] == [(128, 96)] * 9
    assert seconds == pytest.approx(9 / 8, abs=0.02)
    for number, picture in enumerate(pictures):
        error = ((np.asarray(picture, float) - np.asarray(drawn(number), float)) ** 2).mean()
        assert error < 40, number  # a PSNR above 32


@pytest.mark.parametrize("kind", FORMATS)
def test_the_same_frames_give_the_same_bytes(kind: str, tmp_path: Path) -> None:
    first, _ = made(shot(tmp_path / "frames", format=kind), tmp_path)
    content = first.read_bytes()
    made(shot(tmp_path / "frames", format=kind), tmp_path)
    assert first.read_bytes() == content


@pytest.mark.parametrize("kind", FORMATS)
def test_parameters_and_record_are_read_back(kind: str, tmp_path: Path) -> None:
    path, _ = made(shot(tmp_path / "frames", format=kind), tmp_path)
    found = read_metadata(path.read_bytes())
    assert (found.width, found.height) == (128, 96)
    assert found.texts["parameters"] == TEXTS[0]
    assert found.texts.get("kararli") == (None if kind == "gif" else TEXTS[1])


def test_an_mp4_plays_everywhere_and_from_its_first_bytes(tmp_path: Path) -> None:
    path, _ = made(shot(tmp_path / "frames"), tmp_path)
    content = path.read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-i", str(path)]
    said = subprocess.run(command, capture_output=True, text=True, check=False).stderr
    assert "h264" in said
    assert "yuv420p(tv, bt709" in said


@pytest.mark.parametrize("kind", ["mp4", "webm"])
def test_odd_sides_are_made_even(kind: str, tmp_path: Path) -> None:
    path, clip = made(shot(tmp_path / "frames", count=3, size=(65, 71), format=kind), tmp_path)
    assert (clip.width, clip.height) == (66, 72)
    assert frames_in(path, kind)[0][0].size == (66, 72)


def test_a_held_keyframe_stands_still(tmp_path: Path) -> None:
    path, clip = made(shot(tmp_path / "frames", hold=0.5), tmp_path)
    pictures, _ = frames_in(path, "mp4")
    assert clip.frames == len(pictures) == 9 + 4
    still = [np.abs(np.asarray(one, float) - np.asarray(pictures[0], float)).mean() for one in pictures[:6]]
    assert max(still[:5]) < 1 < still[5]


@pytest.mark.parametrize(("closing", "count"), [(0.0, 8 * 3 + 1), (0.125, 9 * 3)])
def test_frames_between_are_found_along_the_flow(closing: float, count: int, tmp_path: Path) -> None:
    path, clip = made(shot(tmp_path / "frames", smooth=3, closing=closing, format="apng"), tmp_path)
    pictures, seconds = frames_in(path, "apng")
    assert clip.frames == len(pictures) == count
    assert (clip.fps, round(seconds * 24)) == (24, count)
    places = [np.argwhere(np.asarray(one)[..., 1] < 120)[:, 1].mean() for one in pictures[: 8 * 3 + 1]]
    steps = np.diff(places)
    assert places[-1] - places[0] == pytest.approx(48, abs=0.5)
    assert steps == pytest.approx(np.full(24, 2.0), abs=0.8)  # without flow: 0, 0, 6


def test_what_ffmpeg_says_becomes_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filming, "ENCODERS", {"mp4": ("-c:v", "no-such-encoder", "-f", "mp4")})
    with pytest.raises(KararliError, match=r"(?s)could not be written: .*no-such-encoder.*The frames are kept"):
        made(shot(tmp_path / "frames"), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["frames"]


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    folder = tmp_path_factory.mktemp("clips")
    return [made(shot(folder / kind, 2, format=kind), folder)[0].read_bytes() for kind in FORMATS]


@given(st.data())
def test_damaged_clips_are_refused_or_read_and_nothing_else(clips: list[bytes], data: st.DataObject) -> None:
    content = bytearray(data.draw(st.sampled_from(clips)))
    for _ in range(data.draw(st.integers(0, 6))):
        content[data.draw(st.integers(0, min(len(content) - 1, 3000)))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(content)))
    try:
        read_metadata(bytes(content[:cut]))
    except UnreadablePicture as error:
        assert str(error)


MEASURE = """
import json, resource, sys
from pathlib import Path
from tests.storage.test_filming import made, shot
count, kind, folder = int(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
made(shot(folder / "frames", count, (128, 128), format=kind), folder)
print(json.dumps([resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]))
"""


@pytest.mark.parametrize("kind", ["mp4", "gif"])
def test_memory_does_not_grow_with_the_number_of_frames(kind: str, tmp_path: Path) -> None:
    def peaks(count: int) -> list[int]:
        command = [sys.executable, "-c", MEASURE, str(count), kind, str(tmp_path / str(count))]
        ended = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
        return json.loads(ended.stdout)

    few, many = peaks(50), peaks(500)
    assert [after <= before * 1.1 for before, after in zip(few, many, strict=True)] == [True, True], (few, many)


def test_a_gif_loops_and_shows_its_colours(tmp_path: Path) -> None:
    path, _ = made(shot(tmp_path / "frames", format="gif"), tmp_path)
    with Image.open(io.BytesIO(path.read_bytes())) as clip:
        assert clip.info["loop"] == 0
