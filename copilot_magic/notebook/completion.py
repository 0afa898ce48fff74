"""Tab completion of commands, options, and the names of conversations, models and providers."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from .arguments import COMMANDS, prompt_parser

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from .magics import CopilotMagics

__all__ = ["add_completion", "remove_completion"]

# Seconds to wait for a server's names; later ones are there at the next Tab.
PATIENCE = 0.3


class _Offers:
    """Keep what a server offers, asked once in the background."""

    def __init__(self) -> None:
        self._names: dict[tuple[str, str], list[str]] = {}

    def names(self, magics: CopilotMagics, kind: str) -> list[str]:
        """Return the ``models`` or ``providers`` of the server, as far as known by now."""
        from ..client.client import ChatClient

        settings = magics.settings
        key = (settings.base_url, kind)
        if key not in self._names:

            def fetch() -> None:
                from ..errors import CopilotError

                try:
                    with ChatClient(settings) as client:
                        self._names[key] = getattr(client, kind)()
                except CopilotError:
                    pass  # Tab is no place for an error; the prompt will say it

            thread = threading.Thread(target=fetch, daemon=True)
            thread.start()
            thread.join(PATIENCE)
        return self._names.get(key, [])


def _candidates(magics: CopilotMagics, offers: _Offers, before: list[str]) -> list[str]:
    """Return what may come after the words `before`, the magic's name first."""
    magic, last = before[0], before[-1]
    if magic == "%%copilot":
        if last in ("-m", "--model"):
            return offers.names(magics, "models")
        if last in ("-p", "--provider"):
            return offers.names(magics, "providers")
        if last in ("-c", "--conversation"):
            return _conversations(magics)
        options = prompt_parser()._option_string_actions
        return sorted(option for option in options if option not in before)
    if len(before) == 1:
        return list(COMMANDS)
    if before[1] in ("use", "show", "forget", "rename") and len(before) == 2:
        return _conversations(magics)
    return []


def _conversations(magics: CopilotMagics) -> list[str]:
    names = [summary.name for summary in magics.session.summaries()]
    return [f'"{name}"' if " " in name else name for name in names]


def add_completion(shell: InteractiveShell, magics: CopilotMagics) -> None:
    """Complete the lines of `magics` in `shell`."""
    offers = _Offers()

    def complete(shell: Any, event: Any) -> list[str]:
        words = event.text_until_cursor.split()
        if event.symbol and words and words[-1] == event.symbol:
            words.pop()
        return _candidates(magics, offers, words) if words else []

    for command in ("%copilot", "%%copilot"):
        shell.set_hook("complete_command", complete, str_key=command)  # type: ignore[no-untyped-call]


def remove_completion(shell: InteractiveShell) -> None:
    """Take the completion back."""
    for command in ("%copilot", "%%copilot"):
        shell.strdispatchers["complete_command"].strs.pop(command, None)
