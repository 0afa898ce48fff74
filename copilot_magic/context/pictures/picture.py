"""Pictures among the user's objects, as parts of a message.

What counts as a picture is in `picture_of`. A NumPy array does not: nothing tells whether its
numbers are pixels.
"""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ...chat.prompt import Part
from ...errors import CopilotError, PictureError
from ...text import one_line, without_credentials
from .figures import is_from, matplotlib_figure, plotly_png, rendered
from .pixels import PictureFile, fit, fit_image

__all__ = ["Picture", "Read", "picture_of"]

Read = Callable[[str], bytes]
"""A function that returns the contents of a file, or raises an `OSError`."""

# Bytes of a file, or of a buffer, that are looked at.
_MOST_READ = 200_000_000

_PICTURE_NAME = re.compile(r"\.(png|jpe?g|gif|webp)$", re.IGNORECASE)
_ON_WEB = re.compile(r"https?://\S+", re.IGNORECASE)
_MIMES = ("image/png", "image/jpeg")
_TYPES = "PNG, JPEG, GIF or WebP"


@dataclass(frozen=True)
class Picture:
    """A picture that can be sent.

    Attributes:
        part: The part of a message: ``image_url`` with a ``data:`` address, or one on the web.
        kind: What it is: ``matplotlib figure, 640 × 480 pixels, 34 kB``.
    """

    part: Part
    kind: str


def picture_of(
    value: object, *, read: Read | None = None, names_files: bool = False
) -> Picture | None:
    """Return `value` as a picture, or None if it is none.

    Pictures are figures of matplotlib, seaborn and plotly, also named by their axes; Pillow images;
    IPython's ``Image``; the contents of PNG, JPEG, GIF and WebP files; paths of such files; and
    objects that show themselves as PNG or JPEG, unless they have a text form made to be read.

    Args:
        value: Any object; it is not changed.
        read: Reads files; without it no path is a picture.
        names_files: A string is the name of a file, or an address on the web. Any other path counts
            only if its name ends like that of a picture.

    Raises:
        PictureError: It is a picture, but it cannot be sent: it cannot be read or drawn, or it is
            too large. With `names_files`, also if the file is no picture.
    """
    try:
        return _picture_of(value, read, names_files)
    except CopilotError:
        raise
    except Exception:  # noqa: BLE001  (the object's own code may raise anything)
        return None


def _picture_of(value: Any, read: Read | None, names_files: bool) -> Picture | None:
    if isinstance(value, (bytes, bytearray, memoryview)):
        return _from_bytes(value)
    if isinstance(value, str):
        if names_files and _ON_WEB.fullmatch(value):
            return _on_web(value)
        return _from_file(value, read, must_be=True) if names_files and read else None
    if isinstance(value, os.PathLike):
        name = os.fsdecode(value)
        counts = names_files or _PICTURE_NAME.search(name)
        return _from_file(name, read, must_be=names_files) if counts and read else None
    if is_from(value, "PIL.Image", "Image"):
        return _made(fit_image(value))
    if is_from(value, "IPython.core.display", "Image"):
        return _from_ipython(value, read)
    if figure := matplotlib_figure(value):
        return _from_bytes(rendered(figure), "matplotlib figure")
    if png := plotly_png(value):
        return _from_bytes(png, "plotly figure")
    return _from_repr(value)


def _from_bytes(data: bytes | bytearray | memoryview, what: str = "picture") -> Picture | None:
    if memoryview(data).nbytes > _MOST_READ:
        return None
    file = fit(data if isinstance(data, bytes) else bytes(data))
    return _made(file, what) if file else None


def _from_file(name: str, read: Read, must_be: bool) -> Picture | None:
    short = one_line(os.path.basename(name), 60)  # noqa: PTH119  (this wing knows no disk)
    try:
        data = read(name)
    except CopilotError:
        raise
    except FileNotFoundError as error:
        raise PictureError(f"There is no file {one_line(name)}", "Check the path") from error
    except Exception as error:
        reason = one_line(getattr(error, "strerror", None) or str(error), 120)
        raise PictureError(
            f"{one_line(name)} cannot be read: {reason or type(error).__name__}", "Check the path"
        ) from error
    picture = _from_bytes(data, f"picture {short}")
    if picture is None and must_be:
        raise PictureError(f"{one_line(name)} is not a {_TYPES} file", "Save the picture as PNG")
    return picture


def _from_ipython(image: Any, read: Read | None) -> Picture | None:
    if isinstance(image.data, (bytes, bytearray, memoryview)):
        return _from_bytes(image.data)
    if image.filename and read:
        return _from_file(str(image.filename), read, must_be=False)
    if image.url and _ON_WEB.fullmatch(str(image.url)):
        return _on_web(str(image.url))
    return None


def _from_repr(value: Any) -> Picture | None:
    """Return what the object shows itself as in a notebook, if that is a picture."""
    # Not of the object, because some have every attribute they are asked for.
    has = {name for name in _REPRS if callable(getattr(type(value), name, None))}
    if has & {"_repr_latex_", "_repr_markdown_"}:
        return None  # Its text says more.
    if "_repr_mimebundle_" in has:
        shown = value._repr_mimebundle_(include=set(_MIMES), exclude=None)
        bundle = shown[0] if isinstance(shown, tuple) else shown
        for mime in _MIMES:
            if bundle and (picture := _from_shown(bundle.get(mime), value)):
                return picture
    for name in ("_repr_png_", "_repr_jpeg_"):
        if name in has and (picture := _from_shown(getattr(value, name)(), value)):
            return picture
    return None


_REPRS = ("_repr_latex_", "_repr_markdown_", "_repr_mimebundle_", "_repr_png_", "_repr_jpeg_")


def _from_shown(shown: Any, value: object) -> Picture | None:
    """Return the picture in what a ``_repr_…_`` returned: bytes or Base64, maybe with metadata."""
    data = shown[0] if isinstance(shown, tuple) else shown
    if isinstance(data, str):
        data = base64.b64decode(data)
    return _from_bytes(data, type(value).__name__) if data else None


def _on_web(url: str) -> Picture:
    part = {"type": "image_url", "image_url": {"url": url}}
    return Picture(part, f"picture at {one_line(without_credentials(url), 80)}")


def _made(file: PictureFile, what: str = "picture") -> Picture:
    url = f"data:{file.mime};base64,{base64.b64encode(file.data).decode('ascii')}"
    scaled = f", scaled down from {_pixels(file.original)}" if file.original != file.size else ""
    size = len(file.data)
    amount = f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{max(size / 1e3, 1):.0f} kB"
    kind = f"{what}, {_pixels(file.size)} pixels{scaled}, {amount}"
    return Picture({"type": "image_url", "image_url": {"url": url}}, kind)


def _pixels(size: tuple[int, int]) -> str:
    return f"{size[0]:,} × {size[1]:,}"
