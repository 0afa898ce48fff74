"""Figures of plotting libraries as PNG files, rendered without changing them.

None of the libraries is imported: an object of one is there only if its user did that.
"""

from __future__ import annotations

import importlib.util
import io
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ...errors import COMMAND, PictureError
from ...text import one_line
from .pixels import LONGEST

__all__ = ["is_from", "matplotlib_figure", "plotly_png", "rendered"]

# The members of a container that are looked at: `plt.subplots(20, 20)` has 400.
_MOST_MEMBERS = 2_000
# What goes around the drawing, as the inline backend has it, in inches.
_MARGIN = 0.1
# A drawing may stick out of its figure; what is this many times larger is a mistake in it.
_LARGEST = 3


def is_from(value: object, module: str, name: str) -> bool:
    """Say whether `value` is an instance of a class in a module that may not even be loaded."""
    kind = getattr(sys.modules.get(module), name, None)
    return isinstance(kind, type) and issubclass(type(value), kind)


def matplotlib_figure(value: object) -> Any | None:
    """Return the matplotlib figure that `value` is, belongs to, or holds the parts of, or None.

    A list, a tuple, an array or a dict of parts, such as axes, counts if all are of one figure. So
    do the grids of seaborn.
    """
    if "matplotlib.figure" not in sys.modules:
        return None
    if _is_of_seaborn(value):
        value = value.figure  # type: ignore[attr-defined]
    parts = _parts(value)
    figures = [_figure_of_part(part) for part in parts]
    if not figures or any(figure is not figures[0] for figure in figures):
        return None
    return figures[0]


def _is_of_seaborn(value: object) -> bool:
    kinds = type(value).__mro__
    return any(kind.__module__.startswith("seaborn.") for kind in kinds) and hasattr(
        value, "figure"
    )


def _parts(value: Any) -> list[Any]:
    """Return the members of a container, also of one in it; a single object is its own part."""
    found = [value]
    for _ in range(2):
        inner: list[Any] = []
        for member in found:
            is_array = is_from(member, "numpy", "ndarray") and member.dtype == object
            if not (is_array or isinstance(member, (list, tuple, dict))):
                inner.append(member)
                continue
            if len(inner) + (member.size if is_array else len(member)) > _MOST_MEMBERS:
                return []
            members = member.flat if is_array else member
            inner += members.values() if isinstance(members, dict) else members
        found = inner
    return found


def _figure_of_part(part: Any) -> Any | None:
    if not is_from(part, "matplotlib.artist", "Artist"):
        return None
    for _ in range(2):  # The figure of an artist may be a subfigure, whose figure is the whole one.
        if part is None or is_from(part, "matplotlib.figure", "Figure"):
            return part
        part = part.figure
    return part if is_from(part, "matplotlib.figure", "Figure") else None


def rendered(figure: Any) -> bytes:
    """Return a matplotlib figure as a PNG file, with the resolution that fits a model.

    Raises:
        PictureError: It cannot be drawn.
    """
    file = io.BytesIO()
    try:
        with warnings.catch_warnings(), _at_most(figure, LONGEST):
            warnings.simplefilter("ignore")
            figure.draw_without_rendering()  # This lays it out.
            box = _drawn(figure)
            # One pixel less, because sizes are rounded up.
            dpi = min(figure.dpi, (LONGEST - 1) / max(box.width, box.height))
            figure.canvas.print_figure(
                file,
                format="png",
                dpi=dpi,
                bbox_inches=box,
                facecolor=figure.get_facecolor(),
                edgecolor=figure.get_edgecolor(),
            )
    except Exception as error:
        raise _not_drawn("matplotlib", error) from error
    return file.getvalue()


@contextmanager
def _at_most(figure: Any, pixels: int) -> Iterator[None]:
    """Lower the resolution of a figure, so that its longer side has no more pixels."""
    dpi = figure.dpi
    lower = pixels / max(figure.get_size_inches())
    if dpi <= lower:
        yield
        return
    # A figure tells its window of a new resolution, which must not be resized here.
    manager, figure.canvas.manager = figure.canvas.manager, None
    try:
        figure.dpi = lower
        yield
    finally:
        figure.dpi = dpi
        figure.canvas.manager = manager


def _drawn(figure: Any) -> Any:
    """Return the box around all that is drawn, in inches, as the inline backend crops it."""
    box = figure.get_tightbbox().padded(_MARGIN)
    most = _LARGEST * max(figure.get_size_inches())
    # Comparisons with NaN are false.
    if 0 < box.width <= most and 0 < box.height <= most:
        return box
    return figure.bbox_inches


def plotly_png(value: Any) -> bytes | None:
    """Return a plotly figure as a PNG file; None if `value` is none.

    Raises:
        PictureError: It cannot be drawn, for example because kaleido is missing.
    """
    if not is_from(value, "plotly.basedatatypes", "BaseFigure"):
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return bytes(value.to_image(format="png"))
    except Exception as error:
        if importlib.util.find_spec("kaleido") is None:
            raise PictureError(
                "plotly needs the package kaleido to make a picture of a figure",
                f"Install it:\n{COMMAND}pip install kaleido",
                package="kaleido",
            ) from error
        raise _not_drawn("plotly", error) from error


def _not_drawn(library: str, error: Exception) -> PictureError:
    reason = one_line(str(error), 150) or type(error).__name__
    return PictureError(
        f"{library} cannot draw the figure: {reason}", "Show the figure itself to see its error"
    )
