"""Answers kept for replay, in a JSON file beside the notebook."""

from __future__ import annotations

import json
import os
import random
import threading
import time
import uuid
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ..chat.turn import Turn
from ..errors import StoreError
from ..text import well_formed
from .locks import LOCK_TIMEOUT, identity, lock_byte

__all__ = ["ReplayFile"]

# What is replayed of a turn beside its texts.
_REPLAYED = {"finish_reason": str, "usage": dict, "model": str, "provider": str}

_process_lock = threading.Lock()


class ReplayFile:
    """Answers by the key of their request, in a JSON file to be read, compared and committed.

    It holds what was asked and answered; nothing of the machine, the time or the server's address.

    Args:
        path: The file; it need not exist.
        lock_timeout: Seconds to go on trying while other processes write.
    """

    FORMAT = "copilot_magic.answers"
    VERSION = 1

    def __init__(self, path: str | os.PathLike[str], *, lock_timeout: float = LOCK_TIMEOUT) -> None:
        self.path = Path(os.path.realpath(Path(path).expanduser()))
        self._lock_timeout = lock_timeout

    def answer_to(self, request_key: str) -> Turn | None:
        """Return the answer that was kept for this request, or None.

        Raises:
            StoreError: The file cannot be read, or is something else.
        """
        entry = self._read().get(request_key)
        if entry is None:
            return None
        try:
            turn = Turn("".join(entry["prompt"]), "".join(entry["answer"]), status="complete")
            turn.reasoning = "".join(entry.get("reasoning", ()))
            for name, kind in _REPLAYED.items():
                if not isinstance(entry.get(name, kind()), kind):
                    raise TypeError(name)
                setattr(turn, name, entry.get(name, getattr(turn, name)))
        except (AttributeError, KeyError, TypeError) as error:
            raise self._unusable(f"the entry {request_key} is damaged") from error
        return turn

    def keep(self, request_key: str, turn: Turn) -> None:
        """Keep the answer of `turn` for this request, and what other processes keep meanwhile.

        Raises:
            StoreError: The file cannot be read or written, or is something else.
        """
        entry: dict[str, Any] = {"prompt": _lines(turn.prompt), "answer": _lines(turn.answer)}
        if turn.reasoning:
            entry["reasoning"] = _lines(turn.reasoning)
        entry |= {name: value for name in _REPLAYED if (value := getattr(turn, name))}
        try:
            with _locked(self.path, self._lock_timeout):
                answers = self._read()
                if answers.get(request_key) == entry:
                    return
                # Sorted, so a new answer changes no other line of the file.
                answers = dict(sorted({**answers, request_key: entry}.items()))
                document = {"format": self.FORMAT, "version": self.VERSION, "answers": answers}
                text = json.dumps(document, ensure_ascii=False, indent=1)
                _write_whole(self.path, well_formed(text) + "\n")
        except OSError as error:
            raise self._unusable(error.strerror or str(error)) from error

    def _read(self) -> dict[str, Any]:
        try:
            text = self.path.read_text(encoding="utf-8")
            document = json.loads(text or "null")
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise self._unusable(error.strerror or str(error)) from error
        except (ValueError, RecursionError) as error:
            raise self._unusable(f"it is not JSON ({error})") from error
        if document is None:
            return {}
        if not isinstance(document, dict) or document.get("format") != self.FORMAT:
            raise self._unusable(f'it has no "format": "{self.FORMAT}"')
        if document.get("version") != self.VERSION:
            raise self._unusable("a newer copilot_magic wrote it")
        answers = document.get("answers")
        if not isinstance(answers, dict):
            raise self._unusable('it has no "answers"')
        return answers

    def _unusable(self, reason: str) -> StoreError:
        return StoreError(
            f"The replay file {self.path} cannot be used: {reason}",
            "It is left as it is: fix it or move it away, or set replay to another file",
            setting="replay",
        )


def _lines(text: str) -> list[str]:
    return well_formed(text).splitlines(keepends=True)


@contextmanager
def _locked(path: Path, timeout: float) -> Generator[None, None, None]:
    """Hold a lock for `path`: a file beside it, which exists only as long as it is held."""
    lock = path.with_name(f".{path.name}.lock")
    deadline = time.monotonic() + timeout
    with _process_lock:
        while True:
            descriptor = os.open(lock, os.O_CREAT | os.O_RDWR, 0o666)
            held = os.fstat(descriptor)
            # Its last holder may have deleted it between our opening and our locking it.
            if lock_byte(descriptor, 0) and identity(str(lock)) == (held.st_dev, held.st_ino):
                break
            os.close(descriptor)
            if time.monotonic() > deadline:
                raise TimeoutError(0, f"another process holds {lock}")
            time.sleep(random.uniform(0.001, 0.02))
        try:
            yield
        finally:
            with suppress(OSError):
                lock.unlink()
            os.close(descriptor)


def _write_whole(path: Path, text: str) -> None:
    """Write the file so that no reader ever sees half of it."""
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        with temporary.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileNotFoundError):
            temporary.chmod(path.stat().st_mode & 0o777)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
