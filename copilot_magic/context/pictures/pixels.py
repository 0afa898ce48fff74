"""Pictures as files: recognised by their first bytes, and made small enough to send.

Pillow is used if it is there. Without it a file is sent as it is.
"""

from __future__ import annotations

import importlib
import io
import math
import warnings
from dataclasses import dataclass
from typing import Any

from ...errors import COMMAND, PictureError
from ...text import one_line

__all__ = ["LONGEST", "MOST_BYTES", "PictureFile", "fit", "fit_image", "recognise"]

LONGEST = 1_280
"""Pixels of the longer side at most. Larger pictures cost more tokens and rarely show more."""

MOST_BYTES = 4_000_000
"""Bytes of a picture that is sent, at most."""

MOST_PIXELS = 100_000_000
"""Pixels of a picture that is opened, at most: a small file can hold billions of them."""

# A JPEG is worth its blurred edges only if the PNG is large, and twice as large.
_LARGE_PNG = 150_000
_JPEG_QUALITY = 85

_Size = tuple[int, int]


@dataclass(frozen=True)
class PictureFile:
    """A picture in one of the formats that models take.

    Attributes:
        data: The file's contents.
        mime: Its type, such as ``image/png``.
        size: Width and height in pixels.
        original: Width and height before it was scaled down; else the same as `size`.
    """

    data: bytes
    mime: str
    size: _Size
    original: _Size


def recognise(data: bytes) -> tuple[str, _Size] | None:
    """Return the MIME type and the size in pixels; None if it is no PNG, JPEG, GIF or WebP file."""
    size: _Size | None = None
    mime = ""
    if data.startswith(b"\x89PNG\r\n\x1a\n") and data[12:16] == b"IHDR" and len(data) > 33:
        mime, size = "image/png", (_big(data[16:20]), _big(data[20:24]))
    elif data.startswith(b"\xff\xd8\xff"):
        mime, size = "image/jpeg", _jpeg_size(data)
    elif data.startswith((b"GIF87a", b"GIF89a")) and len(data) > 13:
        mime, size = "image/gif", (_little(data[6:8]), _little(data[8:10]))
    elif data.startswith(b"RIFF") and data[8:12] == b"WEBP" and len(data) > 30:
        mime, size = "image/webp", _webp_size(data)
    return (mime, size) if size and all(size) else None


def fit(data: bytes) -> PictureFile | None:
    """Return a copy of a picture file that is small enough to send; None if it is no picture.

    Scale it down, turn it as its metadata says, and leave all metadata out. Take the first frame of
    an animation.

    Raises:
        PictureError: It is broken or too large.
    """
    recognised = recognise(data)
    if recognised is None:
        return None
    mime, size = recognised
    _check_pixels(size)
    if (pillow := _pillow()) is None:
        if len(data) > MOST_BYTES:
            raise PictureError(
                f"The picture is {len(data) / 1e6:.1f} MB, and at most "
                f"{MOST_BYTES / 1e6:.0f} MB can be sent",
                f"Install Pillow, which makes it smaller:\n{COMMAND}pip install pillow",
                package="pillow",
            )
        return PictureFile(data, mime, size, size)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            formats = [mime.removeprefix("image/").upper()]
            with pillow.open(io.BytesIO(data), formats=formats) as image:
                _check_pixels(image.size)  # A frame of a GIF file can be larger than its screen.
                # A JPEG file can be decoded at a half, a quarter or an eighth of its size.
                image.draft(None, (LONGEST, LONGEST))
                return _fit(pillow, image, size)
    except PictureError:
        raise
    except Exception as error:
        raise _unreadable(error) from error


def fit_image(image: Any) -> PictureFile:
    """Return a Pillow image as a file that is small enough to send; the image stays as it is.

    Raises:
        PictureError: It cannot be read, or it is too large.
    """
    pillow = _pillow()
    _check_pixels(image.size)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _fit(pillow, image, image.size)
    except PictureError:
        raise
    except Exception as error:
        raise _unreadable(error) from error


def _fit(pillow: Any, image: Any, original: _Size) -> PictureFile:
    image = _plain_mode(_upright(image))
    width, height = image.size
    if (width < height) != (original[0] < original[1]):
        original = original[::-1]
    if max(width, height) > LONGEST:
        scale = LONGEST / max(width, height)
        size = (max(round(width * scale), 1), max(round(height * scale), 1))
        image = image.resize(size, pillow.Resampling.LANCZOS, reducing_gap=2.0)
    # A new image has no metadata. Dark text on a transparent background is readable on white.
    flat = pillow.new("L" if image.mode == "L" else "RGB", image.size, "white")
    flat.paste(image, mask=image.getchannel("A") if image.mode == "RGBA" else None)
    data, mime = _encoded(flat)
    if len(data) > MOST_BYTES:
        raise PictureError(
            f"The picture is still {len(data) / 1e6:.1f} MB when it is scaled down",
            "Send a smaller part of it",
        )
    is_scaled = max(original) > LONGEST
    return PictureFile(data, mime, flat.size, original if is_scaled else flat.size)


def _upright(image: Any) -> Any:
    """Return the image turned as the camera was held."""
    operations = importlib.import_module("PIL.ImageOps")
    try:
        return operations.exif_transpose(image)
    except Exception:  # noqa: BLE001  (broken metadata is no reason not to show a picture)
        return image


def _plain_mode(image: Any) -> Any:
    """Return the image as one of ``L``, ``RGB`` and ``RGBA`` with 8 bits for each channel."""
    if image.mode == "La":
        image = image.convert("LA")
    has_alpha = image.mode in ("RGBA", "LA", "PA", "RGBa") or "transparency" in image.info
    if has_alpha or (image.mode == "P" and image.palette.mode == "RGBA"):
        return image.convert("RGBA")
    if image.mode == "F" or image.mode.startswith("I"):
        return _eight_bits(image)
    if image.mode == "LAB":
        cms = importlib.import_module("PIL.ImageCms")
        profiles = (cms.createProfile("LAB"), cms.createProfile("sRGB"))
        return cms.profileToProfile(image, *profiles, outputMode="RGB")
    return image.convert("L" if image.mode in ("1", "L") else "RGB")


def _eight_bits(image: Any) -> Any:
    """Return an image of numbers as one of 256 greys: from 0, or its least, to its largest."""
    image = image.convert("I").convert("F") if image.mode.startswith("I;") else image.convert("F")
    least, largest = image.getextrema()
    if not math.isfinite(least) or not math.isfinite(largest):
        return image.convert("L")
    least = min(least, 0.0)
    # Numbers up to 1 and up to 255 usually have one of these as their white.
    white = next((limit for limit in (1.0, 255.0) if largest <= limit), largest)
    factor = 255.0 / (white - least)
    return image.point(lambda value: value * factor + -least * factor).convert("L")


def _encoded(image: Any) -> tuple[bytes, str]:
    """Return the image as a file, and its type: PNG, or JPEG if that is much smaller."""
    png = _saved(image, format="PNG")
    if len(png) > _LARGE_PNG:
        jpeg = _saved(image, format="JPEG", quality=_JPEG_QUALITY, optimize=True)
        if len(jpeg) < len(png) / 2 or len(png) > MOST_BYTES:
            return jpeg, "image/jpeg"
    return png, "image/png"


def _saved(image: Any, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, **options)
    return file.getvalue()


def _check_pixels(size: _Size) -> None:
    if not all(size):
        raise PictureError("The picture is empty", "Send one that has pixels")
    if size[0] * size[1] > MOST_PIXELS:
        raise PictureError(
            f"The picture has {size[0]:,} × {size[1]:,} pixels, too many to open it safely",
            "Send a smaller copy of it",
        )


def _pillow() -> Any:
    """Return Pillow's module ``Image``, or None if Pillow is not installed."""
    try:
        return importlib.import_module("PIL.Image")
    except ImportError:
        return None


def _unreadable(error: Exception) -> PictureError:
    reason = one_line(str(error), 120) or type(error).__name__
    return PictureError(f"The picture cannot be read: {reason}", "Save it again as PNG or JPEG")


def _jpeg_size(data: bytes) -> _Size | None:
    """Return the size that the frame header says (ITU T.81, B.2.2)."""
    at = 2
    for _ in range(10_000):
        if data[at : at + 1] != b"\xff" or at + 9 > len(data):
            return None
        marker = data[at + 1]
        if marker == 0xFF:  # a fill byte
            at += 1
        elif 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return _big(data[at + 7 : at + 9]), _big(data[at + 5 : at + 7])
        else:
            at += 2 + _big(data[at + 2 : at + 4])
    return None


def _webp_size(data: bytes) -> _Size | None:
    """Return the size of the picture, or of the canvas (RFC 9649)."""
    kind = data[12:16]
    if kind == b"VP8 " and data[23:26] == b"\x9d\x01\x2a":
        return _little(data[26:28]) & 0x3FFF, _little(data[28:30]) & 0x3FFF
    if kind == b"VP8L" and data[20] == 0x2F:
        bits = _little(data[21:25])
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8X":
        return _little(data[24:27]) + 1, _little(data[27:30]) + 1
    return None


def _big(data: bytes) -> int:
    return int.from_bytes(data, "big")


def _little(data: bytes) -> int:
    return int.from_bytes(data, "little")
