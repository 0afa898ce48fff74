"""Which view is opened, and that the answer's generator is closed in any case."""

from __future__ import annotations

from collections.abc import Generator
from types import SimpleNamespace
from typing import Any

import pytest
from IPython.core.displaypub import CapturingDisplayPublisher

from copilot_magic.chat.turn import Turn
from copilot_magic.views.cell import CellView
from copilot_magic.views.open import open_view, show
from copilot_magic.views.terminal import PlainView
from copilot_magic.views.view import Footer
from copilot_magic.wire.chunks import Delta, Waiting


def test_the_view_fits_the_front_end(capsys: pytest.CaptureFixture[str]) -> None:
    kernel: Any = SimpleNamespace(
        kernel=object(),
        display_pub=SimpleNamespace(publish=lambda *_, **__: None),
        execution_count=1,
    )
    assert isinstance(open_view(kernel, asked="Copilot"), CellView)
    assert type(open_view(kernel, asked="Copilot", raw=True)) is PlainView
    assert type(open_view(None, asked="Copilot")) is PlainView


def test_a_capture_gets_the_final_state_only() -> None:
    shell: Any = SimpleNamespace(kernel=object(), display_pub=CapturingDisplayPublisher())
    pieces = ["one\n\n", "two\n\n", "three"]
    view = open_view(shell, asked="Copilot")
    show((Delta(content=piece) for piece in pieces), view)
    view.finish(Turn("?", answer="".join(pieces), status="complete"), Footer([], []))
    (output,) = shell.display_pub.outputs
    assert "three" in output["data"]["text/html"]


def test_the_generator_is_closed_when_the_view_dies() -> None:
    closed = []

    def events() -> Generator[Delta | Waiting, None, None]:
        try:
            yield Delta(content="x")
            yield Delta(content="y")
        finally:
            closed.append(True)

    class Dying(PlainView):
        def feed(self, event: Delta | Waiting) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        show(events(), Dying())
    assert closed == [True]
