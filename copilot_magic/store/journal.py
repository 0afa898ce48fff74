"""The journal: answers of batches, kept so that no prompt is paid for twice."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

from ..chat.completion import Completion
from ..errors import StoreError
from . import journal_rows
from .database import Database
from .locks import LOCK_TIMEOUT
from .store import resolved

if TYPE_CHECKING:
    import sqlite3

__all__ = ["Journal"]

_DAY = 24 * 3600.0

# Answers that have not been used for so many days are deleted: with each write so many, or twice
# as many as are written, until none is left.
_DAYS_KEPT = 60
_DELETED_AT_ONCE = 20


class Journal:
    """Answers in the conversation file, each under the key of the exact request it answers.

    Many processes and threads may use the file at once, and what `keep` has returned for survives
    the death of the process. An answer that nobody has found for 60 days is deleted.

    Every method raises StoreError if the file cannot be used. The file is intact then, and the
    method may be called again.

    Args:
        path: The file, created at the first use; by default the one in the user's data directory.
        lock_timeout: Seconds to go on trying while others write.
        clock: Returns the time in seconds since the epoch.
    """

    def __init__(
        self,
        path: str = "",
        *,
        lock_timeout: float = LOCK_TIMEOUT,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._path = path
        self._lock_timeout = lock_timeout
        self._clock = clock
        # None or one; a dictionary, because several threads may open the journal at once.
        self._databases: dict[str, Database] = {}
        self._has_unused = True

    def find(self, keys: Iterable[str]) -> dict[str, Completion]:
        """Return the answers that are kept under these keys, however many they are.

        An answer that was damaged in the file is not found.
        """
        wanted = list(keys)  # the transaction may be tried again
        database, today = self._opened(), self._today()
        found = database.read(lambda connection: journal_rows.find(connection, wanted, today))
        if found.aged:
            # What was found is worth more than the date.
            with suppress(StoreError):
                database.write(
                    lambda connection: journal_rows.mark_used(connection, found.aged, today)
                )
        return found.answers

    def keep(self, answers: Mapping[str, Completion]) -> None:
        """Keep all these answers under their keys, in place of those that were there, or none."""
        today = self._today()
        rows = [journal_rows.row_of(key, answer, today) for key, answer in answers.items()]
        most = max(_DELETED_AT_ONCE, 2 * len(rows))

        def write(connection: sqlite3.Connection) -> bool:
            journal_rows.put(connection, rows)
            if not self._has_unused:
                return False
            return journal_rows.delete_unused(connection, today - _DAYS_KEPT, most) == most

        if rows:
            self._has_unused = self._opened().write(write)

    def close(self) -> None:
        """Close the file; the next call of another method opens it again."""
        for database in list(self._databases.values()):
            database.close()

    def _opened(self) -> Database:
        found = self._databases.get(self._path)
        if found is None:
            new = Database(resolved(self._path), lock_timeout=self._lock_timeout)
            found = self._databases.setdefault(self._path, new)
        return found

    def _today(self) -> int:
        return int(self._clock() // _DAY)
