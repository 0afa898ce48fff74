"""Tab completion of commands, options, names of conversations, models and providers, and fields.

A field is a ``{{`` in the body of ``%%copilot`` that is still open; see `completing_names`.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from IPython.core import completer

from ..settings import Settings
from .completing_names import (
    complete_expression,
    open_field,
    picture_names,
    type_names,
    variable_names,
)
from .namespace import Namespace
from .shell import Notebook

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = ["add_completion", "remove_completion"]

# Seconds to wait for a server's names; later ones are there at the next Tab.
NAMES_TIMEOUT = 0.3

_MAGICS = ("%copilot", "%%copilot")
_IDENTIFIER = "copilot_magic"
_MAGIC_LINE = re.compile(r"\s*%{1,2}copilot\s")
_CELL = re.compile(r"\s*%%copilot(?![\w.])")
# A word, with what it has in quotation marks; the last ones of a line may still be open.
_WORD = re.compile(r"""(?:[^\s"']|"[^"]*(?:"|$)|(?<![^\s\[(,=])'[^']*(?:'|$)|')+""")
# Before IPython 8.6 a hook is chosen by a pattern for the line; this one, which is ours, fits all.
_ANY_LINE = "(?#copilot_magic)"


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
            pass  # the next prompt says it; pressing Tab should not


def _offered(notebook: Notebook, offers: _Offers, before: list[str], fragment: str) -> list[str]:
    """Return what may follow the words `before` (the magic's name first), for `fragment`."""
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
        if last in ("-o", "--out", "--as", "--image", "--map", "--into"):
            return _of_the_user(Namespace.of_shell(notebook.shell).variables, last)
        if last in ("--context", "--first"):
            return ["1", "2", "3", "5"] if last == "--context" else ["5", "20", "100"]
        if last in ("-s", "--system", "-t", "--temperature", "--max-tokens"):
            return []
        given = set(before) - {"--image"}  # which may be given again
        return [option for option in option_names() if option not in given]
    if len(before) == 1:
        return list(COMMANDS)
    if before[1] in ("use", "show", "forget", "rename", "cancel", "panel") and len(before) == 2:
        return _conversations(notebook)
    command = COMMANDS.get(before[1])
    # IPython completes the names of files, as long as nothing is offered here.
    if command and (fragment.startswith("-") or command.arguments.startswith("[--")):
        return [flag for flag in re.findall(r"--\w+", command.arguments) if flag not in before]
    return []


def _of_the_user(variables: Mapping[str, object], option: str) -> list[str]:
    if option == "--as":
        return type_names(variables)
    return picture_names(variables) if option == "--image" else variable_names(variables)


def _conversations(notebook: Notebook) -> list[str]:
    names = [summary.name for summary in notebook.session.library.summaries()]
    return [f'"{name}"' if " " in name else name for name in names]


def _split(line: str) -> tuple[list[str], str]:
    """Return the words of a line, and the fragment of one at its end, perhaps in open quotes."""
    words = list(_WORD.finditer(line))
    fragment = words.pop().group() if words and words[-1].end() == len(line) else ""
    return [word.group() for word in words], fragment


def _matching(names: list[str], fragment: str) -> list[str]:
    """Return the names that begin with the fragment, in quotation marks if either has them."""
    start = fragment.removeprefix('"')
    fitting = (name for name in names if name.removeprefix('"').startswith(start))
    if start == fragment:
        return list(fitting)
    return [name if name.startswith('"') else f'"{name}"' for name in fitting]


def add_completion(shell: InteractiveShell, notebook: Notebook) -> None:
    """Complete the lines of the magics in `shell`, and the fields in prompts."""
    offers = _Offers()

    def fitting(line: str) -> tuple[list[str], str]:
        """Return what fits at the end of `line`, and the fragment there that it replaces."""
        before, fragment = _split(line)
        offered = _offered(notebook.up_to_date(), offers, before, fragment) if before else []
        return _matching(offered, fragment), fragment

    def in_field(text: str) -> tuple[list[str], str]:
        """Return the same for the end of a prompt, if a field is open there."""
        field = open_field(text)
        if field is None:
            return [], ""
        return complete_expression(field, Namespace.of_shell(shell).variables)

    if hasattr(completer, "context_matcher"):
        _add_matcher(shell, fitting, in_field)
    else:
        _add_hooks(shell, fitting, in_field)


_Fitting = Callable[[str], "tuple[list[str], str]"]


def _add_hooks(shell: InteractiveShell, fitting: _Fitting, in_field: _Fitting) -> None:
    """Add hooks, all that IPython before 8.6 has: they leave the names of Python among ours."""

    def replacing(event: Any, names: list[str], fragment: str) -> list[str]:
        # IPython replaces its symbol only, which may be the end of our fragment, or begin before.
        ahead = len(fragment) - len(event.symbol)
        return [event.symbol[:-ahead] + name if ahead < 0 else name[ahead:] for name in names]

    def complete_line(shell: Any, event: Any) -> list[str]:
        return replacing(event, *fitting(event.text_until_cursor))

    def complete_field(shell: Any, event: Any) -> list[str]:
        line = event.text_until_cursor
        cell = _cell_until_cursor(shell)
        if cell.endswith(line) and cell != line and not _CELL.match(cell):
            return []
        return replacing(event, *in_field(cell if cell.endswith(line) else line))

    for magic in _MAGICS:
        shell.set_hook("complete_command", complete_line, str_key=magic)  # type: ignore[no-untyped-call]
    shell.set_hook("complete_command", complete_field, re_key=_ANY_LINE)  # type: ignore[no-untyped-call]


def _cell_until_cursor(shell: Any) -> str:
    """Return the cell up to the cursor, if the front end tells; the hooks know one line of it."""
    terminal = getattr(shell, "pt_app", None)
    if terminal is not None:
        return str(terminal.default_buffer.document.text_before_cursor)
    get_parent = getattr(shell, "get_parent", None)
    request = get_parent().get("content", {}) if get_parent is not None else {}
    return str(request.get("code", ""))[: request.get("cursor_pos")]


def _add_matcher(shell: InteractiveShell, fitting: _Fitting, in_field: _Fitting) -> None:
    """Add a matcher for the lines of the magics: if it offers anything, nothing else is offered."""
    from IPython.core.completer import CompletionContext, SimpleCompletion, context_matcher

    @context_matcher(  # type: ignore[untyped-decorator]
        priority=1000, identifier=_IDENTIFIER
    )
    def matcher(context: CompletionContext) -> Any:
        lines = context.full_text.split("\n")[: context.cursor_line + 1]
        lines[-1] = line = lines[-1][: context.cursor_position]
        is_prompt = _CELL.match(context.full_text) is not None
        names, fragment = in_field("\n".join(lines)) if is_prompt else ([], "")
        kind = "instance"
        if not names and _MAGIC_LINE.match(line):
            names, fragment = fitting(line.lstrip())
            kind = "magic"
        if not names:
            return {"completions": [], "suppress": False}
        return {
            "completions": [SimpleCompletion(name, type=kind) for name in names],
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
    hooks = shell.strdispatchers["complete_command"]
    for magic in _MAGICS:
        hooks.strs.pop(magic, None)
    hooks.regexs.pop(re.compile(_ANY_LINE), None)
