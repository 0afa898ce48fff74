"""What a dry run shows: the request that would go out, in a real shell."""

from __future__ import annotations

import json

from IPython.core.interactiveshell import InteractiveShell
from pictures import PNG
from scripted_server import ScriptedServer

from copilot_magic.notebook.arguments import PromptLine
from copilot_magic.notebook.asking import ask_prompt
from copilot_magic.notebook.magics import CopilotMagics
from copilot_magic.notebook.preview import preview_prompt


def test_the_preview_shows_what_is_sent_next(magics: CopilotMagics, server: ScriptedServer) -> None:
    notebook, line = magics.notebook.up_to_date(), PromptLine.parse('-s "Be brief" -p Other -t 0.5')
    ask_prompt(notebook, "a", PromptLine())
    shown = preview_prompt(notebook, "b", line)
    assert len(server.posts) == 1
    ask_prompt(notebook, "b", line)
    sent = server.posts[1]
    body = json.loads(shown.splitlines()[1])
    assert body == {name: value for name, value in sent.items() if name != "messages"}
    for message in sent["messages"]:
        assert f"[{message['role']}]\n{message['content']}" in shown
    size = sum(len(message["content"]) for message in sent["messages"])
    assert f"{len(sent['messages'])} messages, {size} characters" in shown


def test_the_preview_of_a_picture_counts_its_text_and_names_its_size(
    magics: CopilotMagics, shell: InteractiveShell
) -> None:
    shell.user_ns["photo"] = PNG
    shown = preview_prompt(magics.notebook.up_to_date(), "Look", PromptLine(image=("photo",)))
    assert "1 message, 4 characters, about 2 tokens and 1 picture" in shown
    assert "Look\n[image/png, " in shown
    assert "base64" not in shown


def test_the_preview_shows_no_password_of_the_address(
    magics: CopilotMagics, shell: InteractiveShell
) -> None:
    shell.run_line_magic("config", "CopilotMagics.base_url = 'http://me:secret@localhost/v1'")
    assert "secret" not in preview_prompt(magics.notebook.up_to_date(), "a", PromptLine())
