"""The figures of matplotlib in the copy: none of the parent's, and all that the code makes."""

from __future__ import annotations

import io
import os
import sys
import warnings
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .telling import Telling

__all__ = ["Figures"]

_INLINE = "matplotlib_inline.backend_inline"


class Figures:
    """The figures that are open when the code begins, so that they are not taken for its own.

    A notebook closes what the running cell has drawn before the next one begins.

    Args:
        telling: Who is told of the others.
        in_kernel: A notebook shows the figures, and not a window.
    """

    def __init__(self, telling: Telling, *, in_kernel: bool) -> None:
        self._telling = telling
        self._shows = not in_kernel
        if self._shows:
            os.environ["MPLBACKEND"] = "agg"
            warnings.filterwarnings("ignore", ".*FigureCanvasAgg is non-interactive")
        with suppress(Exception):  # any version of matplotlib, in any state
            self._begin()
        self._before = self._open()

    def finish(self) -> None:
        """Tell the figures that no notebook shows by itself."""
        if not self._shows:
            return
        for number, manager in self._open().items():
            if self._before.get(number) is not manager:
                file = io.BytesIO()
                manager.canvas.figure.savefig(file, format="png")
                size = " × ".join(f"{s:.0f}" for s in manager.canvas.get_width_height())
                self._telling.display(
                    {"text/plain": f"Figure, {size} pixels", "image/png": file.getvalue()}
                )

    def _begin(self) -> None:
        inline: Any = sys.modules.get(_INLINE)
        if inline is not None and not self._shows:
            if inline.InlineBackend.instance().close_figures:
                sys.modules["matplotlib._pylab_helpers"].Gcf.destroy_all()
            inline.show._to_draw, inline.show._draw_called = [], False
        elif self._shows and not self._open() and "matplotlib.pyplot" in sys.modules:
            sys.modules["matplotlib.pyplot"].switch_backend("agg")

    @staticmethod
    def _open() -> dict[Any, Any]:
        helpers = sys.modules.get("matplotlib._pylab_helpers")
        return dict(helpers.Gcf.figs) if helpers is not None else {}
