"""The store: conversations kept in one file, written while their answers arrive."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import NameTakenError, StoreError
from ..text import well_formed
from . import rows, turn_rows
from .copies import COPY_INTERVAL, Copier, forget_in_copy
from .database import Database, default_path, store_error
from .growth import GROWTH_INTERVAL, Growth
from .locks import LOCK_TIMEOUT
from .missed import Missed
from .reading import Reading
from .restore import Restored, files_kept_aside, restore
from .schema import MIGRATIONS, Migrations
from .writing import Writing

if TYPE_CHECKING:
    import sqlite3

__all__ = ["Store", "resolved"]


class Store(Reading, Writing):
    """Conversations in one file that many processes and threads may use at once.

    It takes and returns values: it changes no conversation or turn that it is given, and keeps
    none. Every method raises StoreError if the file cannot be used. The file is intact then, and
    the method may be called again.

    Args:
        path: The file, created at the first use.
        growth_interval: Seconds between two writes of a growing answer: the most that a killed
            process loses.
        lock_timeout: Seconds to go on trying while others write.
        copy_interval: Seconds from one copy of the file to the next.
        migrations: What makes the tables of a new file, and brings an older one up to date.

    Attributes:
        path: The file.
        damage: Why not all of the file could be read; None as far as is known.
        omitted: The ids of the turns that are not written, although the file lacks them.
    """

    def __init__(
        self,
        path: str,
        *,
        growth_interval: float = GROWTH_INTERVAL,
        lock_timeout: float = LOCK_TIMEOUT,
        copy_interval: float = COPY_INTERVAL,
        migrations: Migrations = MIGRATIONS,
    ) -> None:
        self.path = path
        self._database = Database(path, lock_timeout=lock_timeout, migrations=migrations)
        self._growth = Growth(self._write_grown, growth_interval)
        self._copier = Copier(path, copy_interval)
        self.damage = None
        self.omitted = frozenset()
        self._missed = Missed()
        self._seen = {}
        # The conversation of each turn that has begun and not ended.
        self._begun = {}

    @classmethod
    def open(
        cls,
        path: str = "",
        *,
        growth_interval: float = GROWTH_INTERVAL,
        lock_timeout: float = LOCK_TIMEOUT,
        copy_interval: float = COPY_INTERVAL,
        migrations: Migrations = MIGRATIONS,
    ) -> Store:
        """Open the file at `path`, created if new; by default one in the user's data directory."""
        store = cls(
            resolved(path),
            growth_interval=growth_interval,
            lock_timeout=lock_timeout,
            copy_interval=copy_interval,
            migrations=migrations,
        )
        store.check()
        return store

    def check(self) -> None:
        """Open the file if it is not open yet, and raise StoreError if it cannot be used."""
        self._database.write(lambda connection: None)

    def check_readable(self) -> None:
        """Read a little, and raise StoreError if the file cannot be used."""
        self._database.read(lambda connection: rows.find(connection, ""))

    def exists(self) -> bool:
        """Say whether there is a file."""
        return Path(self.path).exists()

    def close(self) -> None:
        """Write what has grown and close the file; the next call of a method opens it again.

        If the last copy of the file is more than a day old, a new one is made.
        """
        try:
            self._growth.close()
        finally:
            self._database.close()
            if self.generation:
                self._copier.finish()

    # Writing

    def keep_answer(self, request_key: str, turn_id: str) -> None:
        """Let `answer_to` find the stored turn as the answer to this request."""
        self._database.write(
            lambda connection: turn_rows.keep_answer(connection, request_key, turn_id)
        )

    def drop_turn(self, conversation_id: str, turn_id: str) -> None:
        """Delete one turn; other kernels in the conversation lose it with their next prompt."""
        now = time.time()

        def write(connection: sqlite3.Connection) -> None:
            turn_rows.delete_turn(connection, conversation_id, turn_id)
            rows.use(connection, conversation_id, now)

        self._database.write(write)
        self._seen[conversation_id] = now

    def rename(self, old: str, new: str) -> bool:
        """Rename the conversation with the name or id `old`; return False if there is none.

        Raises:
            NameTakenError: Another conversation has the name `new`.
        """
        name = well_formed(new)

        def write(connection: sqlite3.Connection) -> bool:
            conversation_id = rows.find(connection, old)
            if not rows.rename(connection, conversation_id, name):
                message = f"There is already a conversation {name!r}"
                raise NameTakenError(message, "Choose another name", name=name)
            return conversation_id is not None

        return self._database.write(write)

    def forget(self, name: str) -> bool:
        """Delete the conversation with this name or id permanently; return False if there is none.

        Its turns are overwritten with zeros, superseded ones and answers kept for replay included,
        and the log that SQLite keeps beside the file is emptied. It is deleted in the copy, too,
        and no process writes it again. Answers of batches belong to no conversation, and stay.
        """

        def write(connection: sqlite3.Connection) -> str | None:
            conversation_id = rows.find(connection, name)
            if conversation_id is not None:
                rows.delete_conversation(connection, conversation_id)
            return conversation_id

        found = self._database.write(write)
        if found is not None:
            self._database.empty_log()
            try:
                forget_in_copy(self.path, found)
            except OSError as error:
                raise store_error(self.path, error) from error
        return found is not None

    def restore(self) -> Restored:
        """Bring back the last good copy, with what can still be read of the file itself.

        The file as it was is kept beside the new one.

        Raises:
            StoreError: There is nothing to bring back, or it failed; the file is as it was.
        """
        import sqlite3

        with suppress(StoreError):
            self._growth.close()
        self._database.close()
        try:
            restored = restore(self.path)
        except (sqlite3.Error, OSError, UnicodeError) as error:
            raise store_error(self.path, error) from error
        self._seen.clear()
        self._missed.clear()
        self.damage = None
        return restored

    def files_kept_aside(self) -> list[str]:
        """Return the files that `restore` has kept; what was forgotten since may be in them."""
        return files_kept_aside(self.path)


def resolved(path: str) -> str:
    """Return the whole path of a conversation file; an empty one is in the user's data directory.

    Raises:
        StoreError: That directory cannot be created.
    """
    return os.path.realpath(Path(path).expanduser()) if path else default_path()
