"""Tab completion of commands, options, and the names of conversations, models and providers."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from IPython.core import completer

from ..settings import Settings
from .shell import Notebook

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = ["add_completion", "remove_completion"]

# Seconds to wait for a server's names; later ones are there at the next Tab.
NAMES_TIMEOUT = 0.3

_MAGICS = ("%copilot", "%%copilot")
_IDENTIFIER = "copilot_magic"
_MAGIC_LINE = re.compile(r"\s*%{1,2}copilot\s")
# The last word, or the last one in quotation marks that is still open.
_FRAGMENT = re.compile(r'(?:(?<=\s)"[^"]*|\S*)$')


class _Offers:
    """The models and providers of each server, asked for once, in the background."""

    def __init__(self) -> None:
        self._names: dict[tuple[str, str], list[str]] = {}

    def names(self, settings: Settings, kind: str) -> list[str]:
        """Return the ``models`` or ``providers`` of the server, as far as they are known by now."""
        key = (settings.base_url, kind)
        if key not in self._names:
            thread = threading.Thread(target=self._fetch, args=(settings, kind), daemon=True)
            thread.start()
            thread.join(NAMES_TIMEOUT)
        return self._names.get(key, [])

    def _fetch(self, settings: Settings, kind: str) -> None:
        from ..client.client import ChatClient
        from ..errors import CopilotError

        try:
            with ChatClient(settings) as client:
                self._names[settings.base_url, kind] = getattr(client, kind)()
        except CopilotError:
            pass  # the next prompt will say it; a Tab should not


def _offered(notebook: Notebook, offers: _Offers, before: list[str]) -> list[str]:
    """Return what may come after the words `before`, the magic's name first."""
    from .arguments import option_names
    from .commands import COMMANDS

    magic, last = before[0], before[-1]
    settings = notebook.session.settings
    if magic == "%%copilot":
        if last in ("-m", "--model"):
            return offers.names(settings, "models")
        if last in ("-p", "--provider"):
            return offers.names(settings, "providers")
        if last in ("-c", "--conversation"):
            return _conversations(notebook)
        if last in ("-s", "--system", "-t", "--temperature", "--max-tokens", "-o", "--out"):
            return []
        return [option for option in option_names() if option not in before]
    if len(before) == 1:
        return list(COMMANDS)
    if before[1] in ("use", "show", "forget", "rename", "cancel") and len(before) == 2:
        return _conversations(notebook)
    return []


def _conversations(notebook: Notebook) -> list[str]:
    names = [summary.name for summary in notebook.session.library.summaries()]
    return [f'"{name}"' if " " in name else name for name in names]


def add_completion(shell: InteractiveShell, notebook: Notebook) -> None:
    """Complete the lines of the magics in `shell`."""
    offers = _Offers()

    def fitting(line: str) -> tuple[list[str], str]:
        """Return what fits at the end of `line`, and the fragment there that it replaces."""
        fragment = _FRAGMENT.search(line)[0]  # type: ignore[index]  # it matches any end
        before = line[: len(line) - len(fragment)].split()
        offered = _offered(notebook.up_to_date(), offers, before) if before else []
        return [name for name in offered if name.startswith(fragment)], fragment

    if hasattr(completer, "context_matcher"):
        _add_matcher(shell, fitting)
        return

    # Before IPython 8.6 there is only this hook, which leaves the names of Python among ours.
    def complete(shell: Any, event: Any) -> list[str]:
        names, fragment = fitting(event.text_until_cursor)
        # IPython replaces its symbol only, which may be the end of our fragment.
        return [name[len(fragment) - len(event.symbol) :] for name in names]

    for magic in _MAGICS:
        shell.set_hook("complete_command", complete, str_key=magic)  # type: ignore[no-untyped-call]


def _add_matcher(shell: InteractiveShell, fitting: Callable[[str], tuple[list[str], str]]) -> None:
    """Add a matcher for the lines of the magics: if it offers anything, nothing else is offered."""
    from IPython.core.completer import CompletionContext, SimpleCompletion, context_matcher

    @context_matcher(  # type: ignore[untyped-decorator]
        priority=1000, identifier=_IDENTIFIER
    )
    def matcher(context: CompletionContext) -> Any:
        line = context.full_text.split("\n")[context.cursor_line][: context.cursor_position]
        if not _MAGIC_LINE.match(line):
            return {"completions": [], "suppress": False}
        names, fragment = fitting(line.lstrip())
        return {
            "completions": [SimpleCompletion(name, type="magic") for name in names],
            "matched_fragment": fragment,
            "suppress": True,
            "ordered": True,
        }

    shell.Completer.custom_matchers.append(matcher)


def remove_completion(shell: InteractiveShell) -> None:
    """Take the completion back."""
    matchers = getattr(shell.Completer, "custom_matchers", [])
    ours = [m for m in matchers if getattr(m, "matcher_identifier", "") == _IDENTIFIER]
    for matcher in ours:
        matchers.remove(matcher)
    for magic in _MAGICS:
        shell.strdispatchers["complete_command"].strs.pop(magic, None)
