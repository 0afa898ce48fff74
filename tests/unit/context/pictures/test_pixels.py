"""A picture file is recognised by its first bytes, and sent small, flat and without metadata."""

from __future__ import annotations

import importlib
import io
import struct
from typing import Any

import pytest

from copilot_magic.context.pictures import pixels
from copilot_magic.context.pictures.pixels import PictureFile, fit, fit_image, recognise
from copilot_magic.errors import PictureError

Image: Any = pytest.importorskip("PIL.Image")


def saved(image: Any, kind: str = "PNG", **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def opened(file: PictureFile | None) -> Any:
    assert file is not None
    image = Image.open(io.BytesIO(file.data))
    assert (image.size, Image.MIME[image.format]) == (file.size, file.mime)
    assert len(file.data) <= pixels.MOST_BYTES
    return image


def noise(width: int, height: int) -> Any:
    return Image.effect_noise((width, height), 80).convert("RGB")


@pytest.mark.parametrize(
    ("kind", "options"),
    [("PNG", {}), ("JPEG", {}), ("GIF", {}), ("WEBP", {}), ("WEBP", {"lossless": True})],
)
def test_the_four_formats_are_recognised_with_their_size(kind: str, options: Any) -> None:
    data = saved(Image.new("RGB", (70, 30), "red"), kind, **options)
    assert recognise(data) == (f"image/{kind.lower()}", (70, 30))


def test_an_extended_webp_file_is_recognised() -> None:
    data = saved(Image.new("RGBA", (70, 30), (9, 9, 9, 9)), "WEBP")
    assert data[12:16] == b"VP8X" and recognise(data) == ("image/webp", (70, 30))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"GIF89a",
        b"\x89PNG\r\n\x1a\n" + bytes(40),
        b"\xff\xd8\xff",
        b"\xff\xd8\xff\xe0\x00\x00" * 50_000,
        b"\xff\xd8\xff" + b"\xff" * 50_000,
        b"RIFF1234WEBPVP8 " + bytes(30),
        b"RIFF1234WAVEfmt " + bytes(30),
        b"BM" + bytes(100),
        b"%PDF-1.7" + bytes(100),
        b"<svg xmlns='http://www.w3.org/2000/svg'/>" + b" " * 100,
    ],
)
def test_other_bytes_are_no_picture(data: bytes) -> None:
    assert recognise(data) is None and fit(data) is None


def test_a_large_picture_is_scaled_down_and_keeps_its_shape() -> None:
    file = fit(saved(Image.new("RGB", (3_000, 1_500), "red")))
    assert opened(file).getpixel((5, 5)) == (255, 0, 0)
    assert file is not None and (file.size, file.original) == ((1_280, 640), (3_000, 1_500))
    assert opened(fit(saved(Image.new("L", (1, 5_000))))).size == (1, 1_280)


def test_a_small_picture_keeps_its_size() -> None:
    file = fit(saved(Image.new("RGB", (1_280, 10))))
    assert file is not None and file.size == file.original == (1_280, 10)


def test_a_photo_becomes_jpeg_and_a_drawing_png() -> None:
    photo = fit(saved(noise(2_000, 1_000)))
    drawing = fit(saved(Image.new("RGB", (2_000, 1_000), "white")))
    assert opened(photo).format == "JPEG" and opened(drawing).format == "PNG"


def test_a_photo_is_turned_and_its_metadata_is_gone() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright
    exif[0x010E] = "my secret garden"
    exif.get_ifd(0x8825)[1] = "N"  # where it was taken
    photo = Image.new("RGB", (2_000, 1_000), "red")
    photo.paste("blue", (0, 0, 1_000, 1_000))
    data = saved(photo, "JPEG", exif=exif, comment="secret", quality=95)
    assert b"secret" in data
    file = fit(data)
    image = opened(file)
    assert file is not None and (file.size, file.original) == ((640, 1_280), (1_000, 2_000))
    assert image.getpixel((300, 100))[2] > 200 and image.getpixel((300, 1_200))[0] > 200
    assert b"secret" not in file.data and b"Exif" not in file.data and not image.getexif()


def test_texts_in_a_png_file_are_gone() -> None:
    info = importlib.import_module("PIL.PngImagePlugin").PngInfo()
    info.add_text("Comment", "secret")
    data = saved(Image.new("RGB", (9, 9)), pnginfo=info, icc_profile=b"secret")
    file = fit(data)
    assert file is not None and b"secret" in data and not opened(file).info


def test_what_is_transparent_becomes_white() -> None:
    drawing = Image.new("RGBA", (20, 20), (0, 0, 0, 0))
    drawing.paste((0, 0, 0, 255), (0, 0, 10, 10))
    for image in (drawing, drawing.convert("LA"), drawing.quantize(4)):
        shown = opened(fit(saved(image))).convert("L")
        assert (shown.getpixel((5, 5)), shown.getpixel((15, 15))) == (0, 255)


@pytest.mark.parametrize(
    "mode",
    [
        *("1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr"),
        *("LAB", "HSV", "I", "F", "I;16", "I;16B", "I;16L"),
    ],
)
def test_an_image_of_any_mode_can_be_sent(mode: str) -> None:
    image = Image.new(mode, (20, 10))
    assert opened(fit_image(image)).mode in ("L", "RGB")
    assert (image.mode, image.size) == (mode, (20, 10))


@pytest.mark.parametrize(
    ("mode", "values", "shown"),
    [
        ("I;16", (0, 1_000), (0, 255)),
        ("I", (0, 100), (0, 100)),
        ("I", (-100, 100_000), (0, 255)),
        ("F", (0.0, 0.5), (0, 127)),
        ("F", (0.0, 300.0), (0, 255)),
        ("F", (0.0, float("nan")), (0, 0)),
    ],
)
def test_numbers_are_shown_as_greys(mode: str, values: Any, shown: Any) -> None:
    image = Image.new(mode, (2, 1))
    for x, value in enumerate(values):
        image.putpixel((x, 0), value)
    file = opened(fit_image(image))
    assert tuple(file.getpixel((x, 0)) for x in (0, 1)) == shown


def test_an_animation_is_its_first_frame() -> None:
    frames = [Image.new("RGB", (9, 9), colour) for colour in ("red", "blue")]
    for kind in ("GIF", "WEBP", "PNG"):
        data = saved(frames[0], kind, save_all=True, append_images=frames[1:], lossless=True)
        image = opened(fit(data))
        assert (image.format, image.convert("RGB").getpixel((4, 4))) == ("PNG", (255, 0, 0))


def test_a_decompression_bomb_is_refused_before_it_is_opened(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Image, "open", None)
    header = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + struct.pack(">II", 60_000, 60_000)
    with pytest.raises(PictureError, match="60,000 × 60,000 pixels"):
        fit(header + bytes(20))


def test_a_frame_that_is_larger_than_its_screen_is_refused() -> None:
    data = saved(Image.new("P", (9, 9)), "GIF")
    at = data.index(b",") + 1  # the image descriptor
    bomb = data[:at] + struct.pack("<4H", 0, 0, 60_000, 60_000) + data[at + 8 :]
    with pytest.raises(PictureError):
        fit(bomb)


def test_a_broken_file_is_one_readable_line() -> None:
    data = saved(noise(100, 100))
    with pytest.raises(PictureError) as caught:
        fit(data[: len(data) // 2])
    assert caught.value.message.startswith("The picture cannot be read: ")
    assert caught.value.hint == "Save it again as PNG or JPEG"


def test_an_empty_image_cannot_be_sent() -> None:
    with pytest.raises(PictureError, match="The picture is empty"):
        fit_image(Image.new("RGB", (0, 5)))


def test_without_pillow_a_file_is_sent_as_it_is_up_to_a_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    small, large = saved(Image.new("RGB", (2_000, 9))), saved(noise(1_300, 1_300))
    assert len(large) > pixels.MOST_BYTES
    monkeypatch.setitem(__import__("sys").modules, "PIL.Image", None)
    assert fit(small) == PictureFile(small, "image/png", (2_000, 9), (2_000, 9))
    with pytest.raises(PictureError) as caught:
        fit(large)
    assert caught.value.package == "pillow"
    assert str(caught.value).endswith("smaller: pip install pillow")


def test_no_picture_is_larger_than_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pixels, "MOST_BYTES", 500)
    with pytest.raises(PictureError, match="when it is scaled down"):
        fit_image(noise(100, 100))
