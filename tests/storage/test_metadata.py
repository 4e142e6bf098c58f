"""Texts in picture files of all formats, and files that mean harm."""

import io
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from modules.storage.files import encode_png
from modules.storage.metadata import (
    EXIF_FOLDER,
    LARGEST_TEXTS,
    MAKE,
    PNG_SIGNATURE,
    USER_COMMENT,
    exif_of,
    read_metadata,
    user_comment,
)
from modules.storage.opening import MOST_PIXELS, UnreadablePicture, decoded
from modules.storage.reading import read_picture
from tests.requests_of import CALM, TEXTS
from tests.storage.painting import picture

TEXT = "a red barn, kırmızı 🏚\nNegative prompt: rain\nSteps: 20, Sampler: Euler, Seed: 7"


def saved(format: str, size: tuple[int, int] = (8, 8), **options: object) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, "red").save(file, format, **options)
    return file.getvalue()


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(*chunks: bytes, width: int = 1, height: int = 1) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(b"\0" * 4))
    return PNG_SIGNATURE + header + b"".join(chunks) + pixels + chunk(b"IEND", b"")


def with_user_comment(comment: bytes, format: str = "JPEG") -> bytes:
    exif = Image.Exif()
    exif.get_ifd(EXIF_FOLDER)[USER_COMMENT] = comment
    return saved(format, exif=exif.tobytes())


# ---- where texts are


@CALM
@given(TEXTS, TEXTS)
def test_both_texts_of_our_pngs_come_back_whatever_is_in_them(infotext: str, record: str) -> None:
    texts = read_metadata(encode_png(picture(), infotext, record)).texts
    assert texts["parameters"] == infotext
    assert texts.get("kararli", "") == record


@pytest.mark.parametrize("length", [10, 10_000])
def test_a_long_record_is_compressed_and_a_short_one_is_not(length: int) -> None:
    record = "x" * length
    file = encode_png(picture(), "", record)
    assert (record.encode() in file) == (length < 1000)
    assert read_metadata(file).texts["kararli"] == record


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("kind", ["text", "itxt"])
def test_every_kind_of_png_text_is_read(kind: str, zipped: bool) -> None:
    info = PngInfo()
    (info.add_text if kind == "text" else info.add_itxt)("parameters", "café, 20 steps", zip=zipped)
    assert read_metadata(saved("PNG", pnginfo=info)).texts == {"parameters": "café, 20 steps"}


def test_text_behind_the_pixels_and_utf_8_where_latin_1_belongs_are_read() -> None:
    file = png()[:-12] + chunk(b"tEXt", b"parameters\0" + "kırmızı".encode()) + chunk(b"IEND", b"")
    assert read_metadata(file).texts["parameters"] == "kırmızı"


@pytest.mark.parametrize("format", ["JPEG", "WEBP", "PNG", "AVIF"])
def test_our_exif_is_read_from_every_format(format: str) -> None:
    record = '{"format":1,"long":"' + "x" * 5000 + '"}'
    metadata = read_metadata(saved(format, size=(40, 24), exif=exif_of(TEXT, record)))
    assert (metadata.format, metadata.width, metadata.height) == (format, 40, 24)
    assert metadata.texts == {"parameters": TEXT, "kararli": record}


@pytest.mark.parametrize(
    "comment",
    [
        b"UNICODE\0" + TEXT.encode("utf-16-be"),
        b"UNICODE\0" + TEXT.encode("utf-16-le"),
        b"UNICODE\0" + TEXT.encode("utf-16"),
        b"UNICODE\0" + TEXT.encode("utf-8"),
        b"ASCII\0\0\0" + TEXT.encode("utf-8"),
        b"\0" * 8 + TEXT.encode("utf-8"),
        TEXT.encode("utf-8"),
        TEXT.encode("utf-16"),
    ],
)
@pytest.mark.parametrize("format", ["JPEG", "WEBP"])
def test_a_user_comment_is_read_in_every_encoding_that_clients_write(comment: bytes, format: str) -> None:
    assert read_metadata(with_user_comment(comment, format)).texts["parameters"] == TEXT


@CALM
@given(st.binary(max_size=60))
def test_any_user_comment_gives_some_text(comment: bytes) -> None:
    assert isinstance(user_comment(comment), str)


def test_a_gif_keeps_them_in_its_comment() -> None:
    assert read_picture(saved("GIF", comment=TEXT.encode())).text == TEXT


def test_comfyuis_webp_is_recognised() -> None:
    exif = Image.Exif()
    exif[MAKE] = 'workflow:{"nodes": []}'
    info = read_picture(saved("WEBP", exif=exif.tobytes()))
    assert info.reading is None
    assert "ComfyUI" in info.notes[0]


def test_a_picture_without_texts_says_nothing() -> None:
    info = read_picture(saved("PNG"))
    assert (info.text, info.reading, info.record, info.notes) == ("", None, None, ())


# ---- what means harm, and what is broken


def refusal(data: bytes) -> str:
    with pytest.raises(UnreadablePicture) as refused:
        read_picture(data)
        decoded(data)
    return str(refused.value)


@pytest.mark.parametrize("kind", [b"zTXt", b"iTXt"])
def test_a_text_that_unpacks_to_more_than_is_read_is_refused(kind: bytes) -> None:
    bomb = zlib.compress(b"\0" * (LARGEST_TEXTS + 1), 9)
    head = b"parameters\0\0" if kind == b"zTXt" else b"parameters\0\1\0\0\0"
    assert len(bomb) < 20_000
    assert "unpack to more than 16 MB" in refusal(png(chunk(kind, head + bomb)))


def test_many_texts_share_one_limit() -> None:
    part = chunk(b"zTXt", b"parameters\0\0" + zlib.compress(b"x" * (LARGEST_TEXTS // 2), 9))
    assert "unpack to more than 16 MB" in refusal(png(part, part, part))


@pytest.mark.parametrize("side", [20_000, 2**31 - 1])
def test_a_picture_of_too_many_pixels_is_not_opened(side: int) -> None:
    assert f"up to {MOST_PIXELS:,}" in refusal(png(width=side, height=side)[:200])


def test_too_many_pixels_are_refused_in_other_formats_too() -> None:
    file = bytearray(saved("GIF"))
    file[6:10] = struct.pack("<HH", 65_000, 65_000)
    assert "pixels" in refusal(bytes(file))


@pytest.mark.parametrize(
    "data", [b"", b"not a picture", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"BM" + b"\0" * 60]
)
def test_what_is_no_picture_is_said(data: bytes) -> None:
    assert "no picture that can be read" in refusal(data)


def test_a_png_that_is_cut_off_still_tells_its_texts_but_is_not_decoded() -> None:
    whole = encode_png(picture(64, 64), TEXT)
    cut = whole[: whole.index(b"IDAT") + 10]
    assert read_metadata(cut).texts["parameters"] == TEXT
    assert "damaged or cut off" in refusal(cut)


@pytest.mark.filterwarnings("ignore:.*:UserWarning:PIL")  # Pillow tells about damaged EXIF, and goes on
@CALM
@given(st.binary(max_size=200), st.sampled_from(["PNG", "JPEG", "WEBP", "GIF"]), st.integers(8, 400))
def test_a_damaged_file_is_read_or_refused_with_a_sentence(noise: bytes, format: str, place: int) -> None:
    options = {} if format == "GIF" else {"exif": exif_of(TEXT, "{}")}
    whole = saved(format, **options)
    damaged = whole[:place] + noise + whole[place + len(noise) :]
    try:
        read_picture(damaged)
        decoded(damaged)
    except UnreadablePicture as error:
        assert str(error).endswith(".")
