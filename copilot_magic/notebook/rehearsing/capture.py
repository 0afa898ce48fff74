"""The copy's standard streams: what Python and what native code writes, told to the parent."""

from __future__ import annotations

import builtins
import io
import os
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from .telling import STREAMS, Telling

__all__ = ["Capture", "Stream"]

_MOST = 20_000  # bytes of what native code writes


class Stream(io.TextIOBase):
    """A text stream whose text is told.

    Args:
        name: ``stdout`` or ``stderr``.
        telling: Whom it is told.
        has_buffer: It takes bytes, too, as a stream outside of a kernel does.
    """

    def __init__(self, name: str, telling: Telling, *, has_buffer: bool) -> None:
        self.name = f"<{name}>"
        self._name = name
        self._telling = telling
        if has_buffer:
            self.buffer: Any = _Bytes(self)

    encoding = "utf-8"
    errors = "replace"

    def writable(self) -> bool:
        """Return True."""
        return True

    def write(self, text: str) -> int:
        """Tell `text`."""
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        self._telling.text(self._name, text)
        return len(text)

    def fileno(self) -> int:
        """Return the descriptor to which native code writes."""
        return STREAMS.index(self._name) + 1

    def flush(self) -> None:
        """Do nothing: what is written is told."""

    def close(self) -> None:
        """Do nothing: the stream is wanted until the end."""


class _Bytes(io.RawIOBase):
    """The bytes of a stream."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._stream.write(bytes(data).decode("utf-8", "replace"))
        return len(data)


class Capture:
    """Our streams in the place of Python's, and a file in the place of the process's.

    Code that has kept the old streams, such as a handler of `logging`, writes to ours as well.

    Args:
        telling: Whom everything is told.
        has_buffer: The streams take bytes, as those outside of a kernel do.
        where: What this is a copy of.
    """

    def __init__(self, telling: Telling, *, has_buffer: bool, where: str) -> None:
        self._telling = telling
        self._file: Any = None
        for name in STREAMS:
            old = getattr(sys, name)
            stream = Stream(name, telling, has_buffer=has_buffer)
            setattr(sys, name, stream)
            with suppress(AttributeError, TypeError):
                old.write, old.flush = stream.write, stream.flush
        sys.stdin = io.StringIO()
        builtins.input = _refusing_questions(telling, where)
        with suppress(OSError):
            self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115  # until the end
            for descriptor in (1, 2):
                os.dup2(self._file.fileno(), descriptor)

    def finish(self) -> None:
        """Tell what native code has written."""
        if self._file is None:
            return
        with suppress(Exception):  # the code may have closed everything
            import ctypes

            ctypes.CDLL(None).fflush(None)
            for name in STREAMS:
                getattr(sys, f"__{name}__").flush()
        with suppress(OSError, ValueError):
            size = os.fstat(self._file.fileno()).st_size
            data = os.pread(self._file.fileno(), _MOST, max(size - _MOST, 0))
            if data:
                self._telling.text("stdout", data.decode("utf-8", "replace"))


def _refusing_questions(telling: Telling, where: str) -> Callable[..., str]:
    """Return what takes the place of `input`: the user does not see the copy, and cannot answer."""

    def input(prompt: object = "", *args: Any, **kwargs: Any) -> str:
        telling.refuse("ask for input")
        raise EOFError(f"a copy of {where} cannot ask for input")

    return input
