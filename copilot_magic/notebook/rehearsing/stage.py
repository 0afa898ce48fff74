"""The copy's IPython shell: cut off from the front end, it runs one more cell."""

from __future__ import annotations

import asyncio
import builtins
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from IPython.core import async_helpers
from IPython.core.history import DummyDB

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from .telling import Telling

__all__ = ["detach", "run_cell"]

# Whose callbacks belong to running a cell. Those of others may talk to the front end, or to us.
_HOOKS = ("IPython", "matplotlib", "matplotlib_inline", "__main__")
_EVENTS = ("pre_execute", "pre_run_cell", "post_execute", "post_run_cell")


def detach(shell: InteractiveShell, telling: Telling) -> None:
    """Make the shell report what it would show, and reach neither front end nor history.

    Nothing of this can be undone: the process is a copy, and ends after one cell.
    """
    _mute_kernel(getattr(shell, "kernel", None))
    _take_displays(shell, telling)
    _forget_history(shell)
    _refuse_questions(shell)
    _refuse_commands(shell, telling)
    for event in _EVENTS:
        callbacks = shell.events.callbacks[event]
        callbacks[:] = [each for each in callbacks if _module(each) in _HOOKS]
    # A handler of the parent's loop would be told of the copy's signals.
    with suppress(ValueError):
        signal.set_wakeup_fd(-1)


def run_cell(shell: Any, code: str) -> BaseException | None:
    """Run `code` as the shell's next cell; return the error it ended with, or showed.

    In a kernel cells run inside of a running event loop, in a terminal they do not.
    """
    shown: list[BaseException] = []

    def show_traceback(kind: Any, error: Any, lines: list[str]) -> None:
        shown.append(error)

    def show_error(error: Any = None, *args: Any, **kwargs: Any) -> None:
        current = error[1] if error else sys.exc_info()[1]
        if current is not None:
            shown.append(current)

    # Drawing up a traceback takes IPython longer than most cells run.
    shell.showtraceback, shell._showtraceback = show_error, show_traceback
    shell._format_exception_for_storage = lambda *args, **kwargs: {}
    # Some versions have counted the running cell already, others count it at its end.
    shell.execution_count = shell.displayhook.prompt_count + 1
    asyncio.events._set_running_loop(None)
    loop = asyncio.SelectorEventLoop()
    asyncio.set_event_loop(loop)
    if hasattr(async_helpers, "_asyncio_event_loop"):
        async_helpers._asyncio_event_loop = loop
    if hasattr(shell, "kernel"):
        result = loop.run_until_complete(_in_loop(shell, code))
    else:
        result = shell.run_cell(code, store_history=True)
    error = result.error_before_exec or result.error_in_exec
    # A magic such as %run shows an error, and the cell goes on.
    return error or (shown[-1] if shown else None)


async def _in_loop(shell: Any, code: str) -> Any:
    """Do what ipykernel does with a cell."""
    try:
        transformed, failed = shell.transform_cell(code), None
    except Exception:  # noqa: BLE001  # the shell reports it as an error of the cell
        transformed, failed = code, sys.exc_info()
    how = {"transformed_cell": transformed, "preprocessing_exc_tuple": failed}
    if not shell.should_run_async(code, **how):
        return shell.run_cell(code, store_history=True)
    result = None
    try:
        result = await shell.run_cell_async(code, store_history=True, **how)
    finally:
        shell.events.trigger("post_execute")
        shell.events.trigger("post_run_cell", result)
    return result


def _mute_kernel(kernel: Any) -> None:
    """Drop everything that the kernel sends, whoever sends it."""
    if kernel is None:
        return

    def drop(*args: Any, **kwargs: Any) -> Any:
        return {}

    muted = ((kernel.session, "send"), (kernel.session, "send_raw"), (kernel, "send_response"))
    for owner, name in muted:
        with suppress(AttributeError):
            object.__setattr__(owner, name, drop)
    thread = getattr(kernel, "iopub_thread", None)
    for name in ("send_multipart", "_really_send", "schedule"):
        with suppress(AttributeError):
            setattr(thread, name, drop)


def _take_displays(shell: Any, telling: Telling) -> None:
    """Report everything that is displayed, and the cell's results."""

    def publish(data: Any, metadata: Any = None, *args: Any, **more: Any) -> None:
        transient = more.get("transient") or {}
        telling.display(
            data,
            display_id=str(transient.get("display_id") or ""),
            is_update=bool(more.get("update")),
        )

    def clear_output(wait: bool = False) -> None:
        telling.clear(wait)

    hook, publisher = shell.displayhook, shell.display_pub
    publisher.publish, publisher.clear_output = publish, clear_output

    def start() -> None:
        hook._is_active = True

    def finish() -> None:
        hook._is_active = False

    def write(data: Mapping[str, Any], metadata: Any = None) -> None:
        telling.display(data, is_result=True)

    hook.start_displayhook, hook.finish_displayhook = start, finish
    hook.write_output_prompt, hook.write_format_data = lambda: None, write
    shell.display_trap.hook = sys.displayhook = hook
    shell.set_next_input = lambda *args, **kwargs: None


def _forget_history(shell: Any) -> None:
    """Keep `In` and `Out` going, and write nothing to the history file or to a log."""
    history = shell.history_manager
    history.db_input_cache_lock = threading.Lock()
    history.db_output_cache_lock = threading.Lock()
    history.db_cache_size = sys.maxsize
    history.db_log_output = False
    history.enabled = False
    history.db = DummyDB()
    history.writeout_cache = lambda *args, **kwargs: None
    shell.logger.log_active = False
    shell.db = _Stored(shell)


class _Stored:
    """IPython's store of values, to which changing the directory adds nothing.

    Only ``%store`` writes there on the user's behalf, and is refused.
    """

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        # Recent versions open it, and make its folder, when it is needed first.
        self._opened = shell._db if hasattr(type(shell), "_db") else shell.db

    @property
    def _values(self) -> Any:
        if self._opened is None:
            self._shell._db = None
            self._opened, self._shell._db = self._shell.db, self
        return self._opened

    def __getattr__(self, name: str) -> Any:
        return getattr(self._values, name)

    def __getitem__(self, key: str) -> Any:
        return self._values[key]

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def __setitem__(self, key: str, value: Any) -> None:
        if key != "dhist":
            self._values[key] = value

    def __delitem__(self, key: str) -> None:
        del self._values[key]


def _refuse_questions(shell: Any) -> None:
    """Refuse the other ways to ask the user, who does not see the copy."""
    kernel = getattr(shell, "kernel", None)
    if kernel is not None:
        kernel.raw_input = kernel.getpass = kernel._input_request = builtins.input
    if (module := sys.modules.get("getpass")) is not None:
        vars(module)["getpass"] = builtins.input


def _refuse_commands(shell: Any, telling: Telling) -> None:
    """Refuse ``!commands``, naming each, and the end of the kernel."""

    def refusing(what: str) -> Callable[..., Any]:
        def refuse(command: object = "", *args: Any, **kwargs: Any) -> Any:
            wish = what.format(command=command)
            telling.refuse(wish)
            raise PermissionError(f"not tried in a copy of this kernel: {wish}")

        return refuse

    for name in ("system", "system_piped", "system_raw", "getoutput"):
        object.__setattr__(shell, name, refusing("start a process: {command}"))
    object.__setattr__(shell, "ask_exit", refusing("end this kernel"))


def _module(callback: Any) -> str:
    return str(getattr(callback, "__module__", "")).partition(".")[0]
