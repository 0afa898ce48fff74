"""The conversation file: SQLite, written while answers arrive; and answers kept for replay.

The file is in WAL mode with ``synchronous=NORMAL``: what was committed survives the death of any
process, also by SIGKILL; a loss of power may take back the last commits, and harms nothing else.
"""

from __future__ import annotations

import json
import os
import random
import sys
import threading
import time
import uuid
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ..chat.conversation import Conversation, Turn
from ..errors import StoreError, UsageError
from ..transcript import TURN_FIELDS, turn_to_dict, well_formed

if TYPE_CHECKING:
    import sqlite3

__all__ = ["ReplayFile", "Store", "Summary"]

T = TypeVar("T")

# SQLite keeps it in the file's header; it tells our files from other programs'.
APPLICATION_ID = 0x636F7069

#: The statements that lead from each version of the file to the next; never edit a released one.
MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        f"PRAGMA application_id = {APPLICATION_ID}",
        """CREATE TABLE conversation (
            conversation_id TEXT PRIMARY KEY,
            name TEXT NOT NULL UNIQUE,
            system TEXT NOT NULL,
            started REAL NOT NULL,
            last_used REAL NOT NULL
        )""",
        """CREATE TABLE turn (
            conversation_id TEXT NOT NULL REFERENCES conversation ON DELETE CASCADE,
            id TEXT NOT NULL,
            position INTEGER NOT NULL,
            superseded_by TEXT,
            writer INTEGER,
            request_key TEXT,
            prompt TEXT NOT NULL,
            answer TEXT NOT NULL,
            reasoning TEXT NOT NULL,
            status TEXT NOT NULL,
            stale INTEGER NOT NULL,
            started REAL NOT NULL,
            details TEXT NOT NULL,
            PRIMARY KEY (conversation_id, id)
        )""",
        "CREATE VIEW current_turn AS SELECT * FROM turn WHERE superseded_by IS NULL",
        "CREATE INDEX turn_request ON turn (request_key) WHERE request_key IS NOT NULL",
        """CREATE TABLE notebook (
            path TEXT NOT NULL,
            conversation_id TEXT NOT NULL REFERENCES conversation ON DELETE CASCADE,
            last_used REAL NOT NULL,
            PRIMARY KEY (path, conversation_id)
        )""",
    ),
)

# The fields of a turn with a column of their own; the others are together in `details`, as JSON,
# so that a new field of Turn needs no new version of the file.
_COLUMNS = ("id", "prompt", "answer", "reasoning", "status", "stale", "started")
_SELECTED = ", ".join((*_COLUMNS, "details"))

# Seconds between two writes of a growing answer: the most that a killed process loses.
GROWTH_INTERVAL = 0.5
# Seconds to go on trying while other processes write.
PATIENCE = 30.0
# Seconds SQLite waits by itself; short, since Python sees no interrupt meanwhile.
BUSY_TIMEOUT = 0.25

_OTHER_PLACE = (
    "Name another file with `%config CopilotMagics.store`, or None to keep no conversations"
)


@dataclass(frozen=True)
class Summary:
    """Hold what a list of conversations shows of one; times are seconds since the epoch."""

    name: str
    conversation_id: str
    turns: int
    started: float
    last_used: float
    first_prompt: str = ""
    notebook: str = ""

    @classmethod
    def of(cls, conversation: Conversation) -> Summary:
        """Return the summary of a conversation in memory."""
        turns = conversation.turns
        times = [turn.started for turn in turns] or [time.time()]
        first_prompt = turns[0].prompt if turns else ""
        return cls(
            conversation.name,
            conversation.conversation_id,
            len(turns),
            min(times),
            max(times),
            first_prompt,
        )


class Store:
    """Keep conversations in one file that many processes and threads may use at once.

    Every method raises StoreError where the file cannot be used, leaves it intact then, and may
    be called again.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._connection: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None
        self._begun: dict[str, str] = {}
        self._grown: dict[str, Turn] = {}
        self._timer: threading.Timer | None = None
        self._failure: StoreError | None = None
        self._begin_process()

    def _begin_process(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._growth_lock = threading.Lock()
        self._timer = None
        self._grown = {}

    @classmethod
    def open(cls, path: str = "") -> Store:
        """Open the file at `path`, made if new; an empty path is the user's data directory."""
        store = cls(os.path.realpath(Path(path).expanduser()) if path else _default_path())
        store._transact(lambda connection: None)
        return store

    def close(self) -> None:
        """Write what has grown and close the file; a later call of a method opens it again."""
        if self._pid != os.getpid():
            return
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
            timer.join()
        try:
            self._write_grown()
        finally:
            with self._lock:
                if self._connection is not None:
                    self._connection.close()
                    self._connection = None

    # Writing

    def save_conversation(self, conversation: Conversation, notebook: str = "") -> None:
        """Create or update `conversation`, and add those of its turns that the file has not.

        Its name becomes that in the file, or a free one like it where another has taken it.

        Args:
            conversation: What to save.
            notebook: The notebook that goes on with it when its kernel is restarted.
        """
        writer = self._writer()

        def write(connection: sqlite3.Connection) -> str:
            name = _put_conversation(connection, conversation, notebook)
            known = connection.execute(
                "SELECT id FROM turn WHERE conversation_id = ?", (conversation.conversation_id,)
            )
            missing = {turn.id: turn for turn in conversation.turns}
            for (known_id,) in known:
                missing.pop(known_id, None)
            for turn in missing.values():
                _put_turn(connection, conversation.conversation_id, turn, writer)
            return name

        conversation.name = self._transact(write)

    def begin_turn(
        self,
        conversation: Conversation,
        turn: Turn,
        replaces: Turn | None = None,
        notebook: str = "",
    ) -> None:
        """Write that `turn` has begun, or goes on; the file keeps `replaces` as superseded.

        Args:
            conversation: Where the turn is; saved like `save_conversation` does.
            turn: The turn.
            replaces: The turn in whose place it is.
            notebook: The notebook that goes on with this conversation when its kernel is
                restarted.
        """
        writer = self._writer()
        conversation_id = conversation.conversation_id

        def write(connection: sqlite3.Connection) -> str:
            name = _put_conversation(connection, conversation, notebook)
            position = None
            if replaces is not None:
                old = (conversation_id, replaces.id)
                position = _position(connection, *old)
                connection.execute(
                    "UPDATE turn SET superseded_by = ? WHERE conversation_id = ? AND id = ?",
                    (turn.id, *old),
                )
            _put_turn(connection, conversation_id, turn, writer, position)
            _mark_stale(connection, conversation)
            return name

        conversation.name = self._transact(write)
        self._begun[turn.id] = conversation_id

    def grow_turn(self, turn: Turn) -> None:
        """Have the text that `turn` has grown to written within `GROWTH_INTERVAL` seconds.

        It costs next to nothing, so call it whenever the turn has grown. The write happens in a
        thread, in time also where the server falls silent.

        Raises:
            StoreError: The last such write failed.
        """
        self._leave_parent()
        with self._growth_lock:
            failure, self._failure = self._failure, None
            if failure is None:
                self._grown[turn.id] = turn
                if self._timer is None:
                    self._start_timer()
        if failure is not None:
            raise failure

    def _start_timer(self) -> None:
        self._timer = threading.Timer(GROWTH_INTERVAL, self._write_grown_in_time)
        self._timer.daemon = True
        self._timer.start()

    def _write_grown_in_time(self) -> None:
        try:
            self._write_grown()
        except StoreError as error:
            self._failure = error
        with self._growth_lock:
            self._timer = None
            if self._grown:
                self._start_timer()

    def _write_grown(self) -> None:
        with self._growth_lock:
            grown, self._grown = self._grown, {}
        if not grown:
            return

        def write(connection: sqlite3.Connection) -> None:
            for turn in grown.values():
                connection.execute(
                    "UPDATE turn SET answer = ?, reasoning = ?"
                    " WHERE conversation_id = ? AND id = ?",
                    (
                        well_formed(turn.answer),
                        well_formed(turn.reasoning),
                        self._begun.get(turn.id),
                        turn.id,
                    ),
                )

        self._transact(write)

    def end_turn(self, turn: Turn, conversation: Conversation) -> None:
        """Write the end of `turn`, and which turns rest on an older answer by now.

        A turn that is no more in `conversation` gives its place back to the one it replaced. One
        whose beginning could not be written is written whole; one that was forgotten meanwhile
        stays forgotten.
        """
        conversation_id = conversation.conversation_id
        begun = turn.id in self._begun
        writer = self._writer()

        def write(connection: sqlite3.Connection) -> None:
            if not begun:
                _put_conversation(connection, conversation, "")
            elif _position(connection, conversation_id, turn.id) is None:
                return
            _put_turn(connection, conversation_id, turn, writer)
            if turn not in conversation.turns:
                _give_back(connection, conversation_id, turn.id)
            _mark_stale(connection, conversation)

        with self._growth_lock:
            self._grown.pop(turn.id, None)
        self._transact(write)
        self._begun.pop(turn.id, None)

    def keep_answer(self, request_key: str, turn: Turn) -> None:
        """Let `answer_to` find the stored `turn` as the answer to this request."""
        self._transact(
            lambda connection: connection.execute(
                "UPDATE turn SET request_key = ? WHERE id = ?", (request_key, turn.id)
            )
        )

    def rename(self, old: str, new: str) -> bool:
        """Give the conversation with the name or id `old` another name; say whether there is one.

        Raises:
            UsageError: Another conversation has that name.
        """
        name = well_formed(new)

        def write(connection: sqlite3.Connection) -> bool:
            conversation_id = _find(connection, old)
            taken = connection.execute(
                "SELECT 1 FROM conversation WHERE name = ? AND conversation_id IS NOT ?",
                (name, conversation_id),
            ).fetchone()
            if taken:
                raise UsageError(f"There is already a conversation {name!r}", "Choose another name")
            connection.execute(
                "UPDATE conversation SET name = ? WHERE conversation_id = ?",
                (name, conversation_id),
            )
            return conversation_id is not None

        return self._transact(write)

    def forget(self, name: str) -> bool:
        """Delete the conversation with this name or id for ever; say whether there was one.

        Its turns are overwritten with zeros, superseded ones and answers kept for replay among
        them, and the log that SQLite keeps beside the file is emptied.
        """

        def write(connection: sqlite3.Connection) -> bool:
            conversation_id = _find(connection, name)
            connection.execute(
                "DELETE FROM conversation WHERE conversation_id = ?", (conversation_id,)
            )
            return conversation_id is not None

        found = self._transact(write)
        if found:
            self._transact(_empty_log, begin="")
        return found

    # Reading

    def load(self, name_or_id: str) -> Conversation | None:
        """Return the conversation with this name, or else this id, or None.

        A turn that was never ended is ``interrupted`` where its process is gone, and
        ``streaming`` where that still writes it.
        """

        def read(connection: sqlite3.Connection) -> tuple[Conversation, list[Any]] | None:
            conversation_id = _find(connection, name_or_id)
            if conversation_id is None:
                return None
            name, system = connection.execute(
                "SELECT name, system FROM conversation WHERE conversation_id = ?",
                (conversation_id,),
            ).fetchone()
            rows = connection.execute(
                f"SELECT {_SELECTED}, writer, superseded_by FROM turn"
                " WHERE conversation_id = ? ORDER BY position, started",
                (conversation_id,),
            ).fetchall()
            return Conversation(name, conversation_id, system), rows

        found = self._transact(read, begin="BEGIN")
        if found is None:
            return None
        conversation, rows = found
        turns = [(_turn(row), *row[-2:]) for row in rows]
        replaced = {superseded_by for _, _, superseded_by in turns}
        fruitless = set()
        for turn, writer, _ in turns:
            if turn.status == "streaming" and not _is_alive(self.path, writer):
                turn.status = "interrupted"
                if not turn.answer and turn.id in replaced:
                    # Its process was killed before it could give back the place of the old turn.
                    fruitless.add(turn.id)
        conversation.turns = [
            turn
            for turn, _, superseded_by in turns
            if turn.id not in fruitless and (superseded_by is None or superseded_by in fruitless)
        ]
        return conversation

    def latest(self, notebook: str) -> Conversation | None:
        """Return the conversation that was last used in this notebook, or None."""
        row = self._transact(
            lambda connection: connection.execute(
                "SELECT conversation_id FROM notebook WHERE path = ? ORDER BY last_used DESC",
                (well_formed(notebook),),
            ).fetchone(),
            begin="BEGIN",
        )
        return None if row is None else self.load(row[0])

    def list(self, search: str = "") -> list[Summary]:
        """Return the conversations, the last used first.

        Args:
            search: Only those that have this text, in small or capital letters, in their name,
                a prompt or an answer.
        """
        rows = self._transact(
            lambda connection: connection.execute(
                """
                SELECT name, conversation_id,
                    (SELECT count(*) FROM current_turn AS t
                        WHERE t.conversation_id = c.conversation_id),
                    started, last_used,
                    coalesce((SELECT prompt FROM current_turn AS t
                        WHERE t.conversation_id = c.conversation_id
                        ORDER BY position, started LIMIT 1), ''),
                    coalesce((SELECT path FROM notebook AS n
                        WHERE n.conversation_id = c.conversation_id
                        ORDER BY n.last_used DESC LIMIT 1), '')
                FROM conversation AS c
                WHERE has_text(name, :search) OR EXISTS (
                    SELECT 1 FROM current_turn AS t
                    WHERE t.conversation_id = c.conversation_id
                    AND (has_text(prompt, :search) OR has_text(answer, :search)))
                ORDER BY last_used DESC, c.rowid DESC
                """,
                {"search": well_formed(search).casefold()},
            ).fetchall(),
            begin="BEGIN",
        )
        return [Summary(*row) for row in rows]

    def answer_to(self, request_key: str) -> Turn | None:
        """Return the last complete turn that was kept as the answer to this request, or None."""
        row = self._transact(
            lambda connection: connection.execute(
                f"SELECT {_SELECTED} FROM turn"
                " WHERE request_key = ? AND status = 'complete' ORDER BY started DESC",
                (request_key,),
            ).fetchone(),
            begin="BEGIN",
        )
        return None if row is None else _turn(row)

    # The connection

    def _transact(
        self, work: Callable[[sqlite3.Connection], T], *, begin: str = "BEGIN IMMEDIATE"
    ) -> T:
        """Do `work` in one transaction, again while other processes are in the way."""
        import sqlite3

        self._leave_parent()
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                with self._lock:
                    connection = self._connected()
                    try:
                        if begin:
                            connection.execute(begin)
                        result = work(connection)
                        if begin:
                            connection.execute("COMMIT")
                        return result
                    finally:
                        if connection.in_transaction:
                            connection.rollback()
            except sqlite3.Error as error:
                if not _is_busy(error) or time.monotonic() > deadline:
                    raise _store_error(self.path, error) from error
            except OSError as error:
                raise _store_error(self.path, error) from error
            time.sleep(random.uniform(0.001, 0.02))

    def _leave_parent(self) -> None:
        """In a forked child, leave the connection and the locks of the parent alone."""
        if self._pid == os.getpid():
            return
        if self._connection is not None:
            # SQLite forbids even to close it here.
            _PARENTS_CONNECTIONS.append(self._connection)
            self._connection = None
        self._begin_process()

    def _connected(self) -> sqlite3.Connection:
        if self._connection is not None and _identity(self.path) != self._identity:
            # The file was deleted or replaced: what goes on in it would be lost.
            self._connection.close()
            self._connection = None
        if self._connection is None:
            _create_private(self.path)
            self._identity = _identity(self.path)
            self._connection = _connect(self.path)
        return self._connection

    def _writer(self) -> int:
        """Return the number that says, in the file, which process writes a turn."""
        try:
            return _presence(self.path)[1]
        except OSError as error:
            raise _store_error(self.path, error) from error


_PARENTS_CONNECTIONS: list[sqlite3.Connection] = []


def _default_path() -> str:
    import platformdirs

    directory = Path(platformdirs.user_data_dir("copilot_magic", appauthor=False))
    path = str(directory / "conversations.db")
    try:
        if not directory.is_dir():
            directory.mkdir(parents=True, exist_ok=True)
            directory.chmod(0o700)
    except OSError as error:
        raise _store_error(path, error) from error
    return os.path.realpath(path)


def _create_private(path: str) -> None:
    """Create the file, where there is none, for its owner alone.

    An existing file is not even opened: to close it would drop the locks of SQLite, which has it
    open elsewhere in this process.
    """
    with suppress(FileExistsError):
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
        os.close(descriptor)
        Path(path).chmod(0o600)


def _identity(path: str) -> tuple[int, int] | None:
    try:
        found = Path(path).stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def _connect(path: str) -> sqlite3.Connection:
    import sqlite3

    try:
        return _opened(path, "WAL")
    except sqlite3.OperationalError as error:
        if _is_busy(error):
            raise
        # A file system, often one of a network, may have no memory that processes share.
        return _opened(path, "DELETE")


def _opened(path: str, journal: str) -> sqlite3.Connection:
    import sqlite3

    connection = sqlite3.connect(
        path, timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=False
    )
    try:
        if journal != "WAL":
            # Alone with the file, SQLite needs no shared memory to lead it out of WAL mode.
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        _check_version(connection, path)
        (mode,) = connection.execute(f"PRAGMA journal_mode = {journal}").fetchone()
        connection.execute("PRAGMA locking_mode = NORMAL")
        if mode == "wal":
            connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA secure_delete = ON")
        connection.create_function("has_text", 2, _has_text, deterministic=True)
        _migrate(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _has_text(text: str, search: str) -> bool:
    return search in text.casefold()


def _check_version(connection: sqlite3.Connection, path: str) -> None:
    """Refuse, before anything is written, a file that is not ours or that a later version wrote."""
    connection.execute("BEGIN")  # another process may be making the tables right now
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    empty = connection.execute("SELECT 1 FROM sqlite_master").fetchone() is None
    connection.execute("COMMIT")
    if application != APPLICATION_ID and not empty:
        raise StoreError(f"{path} is the database of another program", _OTHER_PLACE)
    if version > len(MIGRATIONS):
        raise StoreError(
            f"The conversation file {path} was written by a newer copilot_magic",
            "Update with `pip install -U copilot-magic`, or name another file with "
            "`%config CopilotMagics.store`",
        )


def _migrate(connection: sqlite3.Connection) -> None:
    """Bring the file to the newest version, each step in one transaction."""
    for number, statements in enumerate(MIGRATIONS, 1):
        connection.execute("BEGIN IMMEDIATE")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version < number:
            for statement in statements:
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {number}")
        connection.execute("COMMIT")


def _is_busy(error: sqlite3.Error) -> bool:
    """Say whether another process is in the way; Python 3.10 knows no error codes."""
    return "lock" in str(error)


def _store_error(path: str, error: Exception) -> StoreError:
    reason = getattr(error, "strerror", None) or str(error)
    if isinstance(error, FileNotFoundError):
        reason = f"there is no directory {Path(path).parent}"
    hint = _OTHER_PLACE
    if "full" in reason:
        hint = f"Make room on its disk. {hint}"
    elif "not a database" in reason or "malformed" in reason:
        hint = f"It is left as it is; move it away to begin a new one. {hint}"
    return StoreError(f"The conversation file {path} cannot be used: {reason}", hint)


def _empty_log(connection: sqlite3.Connection) -> None:
    """Empty the write-ahead log; where a reader stays in the way, closing the file does it."""
    for _ in range(20):
        (busy, _, _) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if not busy:
            return
        time.sleep(0.05)


def _find(connection: sqlite3.Connection, name_or_id: str) -> str | None:
    row = connection.execute(
        "SELECT conversation_id FROM conversation WHERE ? IN (name, conversation_id)"
        " ORDER BY name = ? DESC",
        (well_formed(name_or_id), well_formed(name_or_id)),
    ).fetchone()
    return None if row is None else str(row[0])


def _put_conversation(
    connection: sqlite3.Connection, conversation: Conversation, notebook: str
) -> str:
    """Create or update the row of `conversation`, and return the name it has there."""
    now = time.time()
    conversation_id = conversation.conversation_id
    row = connection.execute(
        "SELECT name FROM conversation WHERE conversation_id = ?", (conversation_id,)
    ).fetchone()
    if row is None:
        name = _free_name(connection, well_formed(conversation.name))
        started = min((turn.started for turn in conversation.turns), default=now)
        connection.execute(
            "INSERT INTO conversation VALUES (?, ?, ?, ?, ?)",
            (conversation_id, name, well_formed(conversation.system), started, now),
        )
    else:
        # Another kernel may have renamed it: the file's name is the one that counts.
        name = row[0]
        connection.execute(
            "UPDATE conversation SET system = ?, last_used = ? WHERE conversation_id = ?",
            (well_formed(conversation.system), now, conversation_id),
        )
    if notebook:
        connection.execute(
            "INSERT OR REPLACE INTO notebook VALUES (?, ?, ?)",
            (well_formed(notebook), conversation_id, now),
        )
    return name


def _free_name(connection: sqlite3.Connection, wanted: str) -> str:
    name, number = wanted, 2
    while connection.execute("SELECT 1 FROM conversation WHERE name = ?", (name,)).fetchone():
        name, number = f"{wanted} {number}", number + 1
    return name


def _position(connection: sqlite3.Connection, conversation_id: str, turn_id: str) -> int | None:
    row = connection.execute(
        "SELECT position FROM turn WHERE conversation_id = ? AND id = ?",
        (conversation_id, turn_id),
    ).fetchone()
    return None if row is None else int(row[0])


def _put_turn(
    connection: sqlite3.Connection,
    conversation_id: str,
    turn: Turn,
    writer: int,
    position: int | None = None,
) -> None:
    """Write all of `turn`: where it is already, else at `position`, else at the end."""
    details = turn_to_dict(turn)
    values = [details.pop(column) for column in _COLUMNS]
    values.append(json.dumps(details, default=str))
    columns = (*_COLUMNS, "details")
    connection.execute(
        f"INSERT INTO turn (conversation_id, position, writer, {', '.join(columns)}) VALUES"
        " (?1, coalesce(?2, (SELECT coalesce(max(position) + 1, 0) FROM turn"
        f" WHERE conversation_id = ?1)), ?3{', ?' * len(columns)})"
        " ON CONFLICT (conversation_id, id) DO UPDATE SET writer = excluded.writer, "
        + ", ".join(f"{column} = excluded.{column}" for column in columns),
        (
            conversation_id,
            position,
            writer,
            *(well_formed(value) if isinstance(value, str) else value for value in values),
        ),
    )


def _give_back(connection: sqlite3.Connection, conversation_id: str, turn_id: str) -> None:
    """Let the turn that `turn_id` has replaced be the current one again."""
    row = connection.execute(
        "SELECT id FROM turn WHERE conversation_id = ? AND superseded_by = ?",
        (conversation_id, turn_id),
    ).fetchone()
    if row is not None:
        connection.executemany(
            "UPDATE turn SET superseded_by = ? WHERE conversation_id = ? AND id = ?",
            [(row[0], conversation_id, turn_id), (None, conversation_id, row[0])],
        )


def _mark_stale(connection: sqlite3.Connection, conversation: Conversation) -> None:
    connection.executemany(
        "UPDATE turn SET stale = 1 WHERE conversation_id = ? AND id = ?",
        [(conversation.conversation_id, turn.id) for turn in conversation.turns if turn.stale],
    )


def _turn(row: tuple[Any, ...]) -> Turn:
    columns = dict(zip(_COLUMNS, row, strict=False))
    columns["stale"] = bool(columns["stale"])
    details = json.loads(row[len(_COLUMNS)])
    # A newer version of this package may have kept more of a turn.
    known = {name: value for name, value in details.items() if name in TURN_FIELDS}
    return Turn(**columns, **known)


# Which processes live: each holds a lock on a byte of its own, in a file beside the conversations,
# and the system lets go of it however the process dies.

_presences: dict[str, tuple[int, int, int]] = {}
_presences_lock = threading.Lock()


def _presence(path: str) -> tuple[int, int]:
    """Return the open file of locks beside `path`, and which byte this process has locked.

    It stays open until the process ends: POSIX drops all locks of a process on a file as soon as
    it closes any descriptor of that file.
    """
    with _presences_lock:
        pid, descriptor, number = _presences.get(path, (0, 0, 0))
        if pid != os.getpid():
            _create_private(path + "-writers")
            descriptor = os.open(path + "-writers", os.O_RDWR)
            number = _random_byte()
            while not _lock_byte(descriptor, number):
                number = _random_byte()
            _presences[path] = (os.getpid(), descriptor, number)
    return descriptor, number


def _random_byte() -> int:
    return uuid.uuid4().int % 2**31


def _is_alive(path: str, writer: int | None) -> bool:
    if writer is None:
        return False
    try:
        descriptor, number = _presence(path)
        if writer == number:
            return True
        if not _lock_byte(descriptor, writer, shared=True):
            return True
        _unlock_byte(descriptor, writer)
    except OSError:
        pass
    return False


if sys.platform == "win32":
    import msvcrt

    def _lock_byte(descriptor: int, number: int, shared: bool = False) -> bool:
        os.lseek(descriptor, number, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except PermissionError:
            return False
        return True

    def _unlock_byte(descriptor: int, number: int) -> None:
        os.lseek(descriptor, number, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)
else:
    import fcntl

    def _lock_byte(descriptor: int, number: int, shared: bool = False) -> bool:
        kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        try:
            fcntl.lockf(descriptor, kind | fcntl.LOCK_NB, 1, number)
        except (BlockingIOError, PermissionError):
            return False
        return True

    def _unlock_byte(descriptor: int, number: int) -> None:
        fcntl.lockf(descriptor, fcntl.LOCK_UN, 1, number)


class ReplayFile:
    """Keep answers in a JSON file beside the notebook, fit to be read, compared and committed.

    It holds what was asked and answered, nothing of the machine, the time or the server's address.
    """

    FORMAT = "copilot_magic.answers"
    VERSION = 1

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(os.path.realpath(Path(path).expanduser()))

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
        """Keep the answer of `turn` for this request, beside what other processes keep meanwhile.

        Raises:
            StoreError: The file cannot be read or written, or is something else.
        """
        entry: dict[str, Any] = {"prompt": _lines(turn.prompt), "answer": _lines(turn.answer)}
        if turn.reasoning:
            entry["reasoning"] = _lines(turn.reasoning)
        entry |= {name: value for name in _REPLAYED if (value := getattr(turn, name))}
        try:
            with _locked(self.path):
                answers = self._read()
                if answers.get(request_key) == entry:
                    return
                # Sorted, so that a new answer changes no other line of the file.
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
            "It is left as it is: mend it or move it away, "
            "or name another one with `%config CopilotMagics.replay`",
        )


# What is replayed of a turn beside its texts.
_REPLAYED = {"finish_reason": str, "usage": dict, "model": str, "provider": str}

_replay_lock = threading.Lock()


def _lines(text: str) -> list[str]:
    return well_formed(text).splitlines(keepends=True)


@contextmanager
def _locked(path: Path) -> Generator[None, None, None]:
    """Hold a lock for `path`, which is a file beside it for as long as it is held."""
    lock = path.with_name(f".{path.name}.lock")
    deadline = time.monotonic() + PATIENCE
    with _replay_lock:
        while True:
            descriptor = os.open(lock, os.O_CREAT | os.O_RDWR, 0o666)
            held = os.fstat(descriptor)
            # Who held it before may have deleted it between our opening and our locking it.
            if _lock_byte(descriptor, 0) and _identity(str(lock)) == (held.st_dev, held.st_ino):
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
    """Write the file so that it is never seen half-written."""
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
