"""The chat panel as a widget: what it is made with, where it is shown, what is saved."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from panels import until

import copilot_magic
from copilot_magic.chat.conversation import Conversation
from copilot_magic.chat.turn import Turn
from copilot_magic.errors import UsageError
from copilot_magic.notebook.magics import CopilotMagics
from copilot_magic.notebook.panel.saved import PAGES
from copilot_magic.notebook.panel.widget import ChatPanel

# ipywidgets 7 is older than the traitlets that are installed with it.
pytestmark = pytest.mark.filterwarnings("ignore:Deprecated in traitlets 4.1")


class Front:
    """What a shell publishes and a widget sends, in a shell that passes for a kernel's."""

    def __init__(self, shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch) -> None:
        self.published: list[tuple[dict[str, Any], dict[str, Any]]] = []
        self.sent: list[dict[str, Any]] = []
        monkeypatch.setattr(shell, "kernel", None, raising=False)
        monkeypatch.setattr(shell.display_pub, "publish", self._publish)
        monkeypatch.setattr(ChatPanel, "send", lambda panel, message: self.sent.append(message))

    def _publish(self, data: Any, metadata: Any = None, **more: Any) -> None:
        self.published.append((data, more))


@pytest.fixture
def front(magics: CopilotMagics, shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch) -> Front:
    return Front(shell, monkeypatch)


def tell(panel: ChatPanel, kind: str, **more: Any) -> None:
    panel._receive(panel, {"kind": kind, "id": f"{kind}1", **more}, [])


def test_the_command_shows_a_panel_and_room_for_what_is_saved(
    front: Front, shell: InteractiveShell
) -> None:
    shell.run_line_magic("copilot", "panel")
    (widget, _), *others = front.published
    assert "application/vnd.jupyter.widget-view+json" in widget
    assert [data["text/html"] for data, _ in others] == [""] * PAGES


def test_a_prompt_is_answered_and_then_saved_with_the_notebook(front: Front) -> None:
    panel = ChatPanel("talk")
    panel._ipython_display_()
    tell(panel, "hello", view="a")
    tell(panel, "ask", text="<b>hi")
    until(lambda: "You said" in front.published[-1][0]["text/html"])
    data, more = front.published[-1]
    assert more["update"] and more["transient"] == front.published[1][1]["transient"]
    html = data["text/html"]
    assert panel.saved_class in html and "&lt;b&gt;hi" in html and "<b>" not in html
    panel.close()


def test_a_conversation_is_saved_when_it_is_shown(front: Front, shell: InteractiveShell) -> None:
    """No view says hello in a notebook that is executed without a front end."""
    shell.run_cell_magic("copilot", "", "<b>hi")
    front.published.clear()
    shell.run_line_magic("copilot", "panel")
    (widget, _), (first, _), *others = front.published
    assert "application/vnd.jupyter.widget-view+json" in widget
    assert "You said" in first["text/html"] and "&lt;b&gt;hi" in first["text/html"]
    assert [data["text/html"] for data, _ in others] == [""] * (PAGES - 1)


def test_a_prompt_that_cannot_be_asked_is_refused(front: Front) -> None:
    panel = ChatPanel()
    tell(panel, "hello", view="a")
    tell(panel, "ask", text=" ")
    until(lambda: any(m["kind"] == "refused" for m in front.sent))
    panel.close()


def test_what_is_no_message_of_ours_is_left_alone(front: Front) -> None:
    panel = ChatPanel()
    panel._receive(panel, ["x"], [])
    tell(panel, "unheard of")
    until(lambda: any(m["kind"] == "ack" for m in front.sent))
    panel.close()


def test_a_conversation_is_named_or_given_and_the_current_one_stays(
    front: Front, magics: CopilotMagics
) -> None:
    library = magics.notebook.session.library
    current = library.current
    given = Conversation("mine", turns=[Turn("?", answer="x", status="complete")])
    for conversation, name in (("named", "named"), (given, "mine"), (None, current.name)):
        front.sent.clear()
        panel = ChatPanel(conversation)
        tell(panel, "hello", view="a")
        until(lambda: any(m["kind"] == "reset" for m in front.sent))
        assert next(m for m in front.sent if m["kind"] == "reset")["name"] == name
        panel.close()
    assert library.current is current


@pytest.mark.parametrize("height", ["", "tall", "36", "1em;color:red", "calc(1px)"])
def test_a_height_is_a_length(front: Front, height: str) -> None:
    with pytest.raises(UsageError, match="not a length"):
        ChatPanel(height=height)


def test_in_a_terminal_there_is_no_panel(shell: InteractiveShell, magics: CopilotMagics) -> None:
    with pytest.raises(UsageError, match="needs a notebook"):
        shell.run_line_magic("copilot", "panel")


def test_a_panel_needs_no_extension(
    shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch
) -> None:
    Front(shell, monkeypatch)
    panel = copilot_magic.ChatPanel("alone")
    panel._ipython_display_()
    panel.close()


def test_the_package_has_what_the_front_end_needs() -> None:
    root = Path(copilot_magic.__file__).parent
    assert {"panel.js", "panel.css"} <= {
        path.name for path in (root / "notebook" / "panel").iterdir()
    }
    assert ChatPanel._esm.default_value.rstrip().endswith("export default { render };")
    assert "http" not in ChatPanel._css.default_value
    assert "import " not in ChatPanel._esm.default_value.replace("important", "")


def test_only_making_a_panel_imports_anywidget() -> None:
    code = (
        "import sys, copilot_magic, copilot_magic.notebook.commands\n"
        "before = 'anywidget' in sys.modules\n"
        "copilot_magic.ChatPanel\n"
        "print(before, 'anywidget' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]
