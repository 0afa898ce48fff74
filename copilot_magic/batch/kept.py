"""The answers of earlier runs; if their file fails, a run goes on without it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from ..chat.completion import Completion
from ..errors import StoreError

if TYPE_CHECKING:
    from ..store.journal import Journal

__all__ = ["KeptAnswers"]


class KeptAnswers:
    """Best-effort access to the journal.

    Args:
        path: The conversation file; '' is the default place, None keeps nothing.
        resume: Use the answers that are in it already.

    Attributes:
        notes: What the reader should know, once the journal has failed.
    """

    def __init__(self, path: str | None, *, resume: bool = True) -> None:
        self.notes: list[str] = []
        self._journal: Journal | None = None
        self._resume = resume
        if path is not None:
            from ..store.journal import Journal

            self._journal = Journal(path)

    def close(self) -> None:
        """Close the file."""
        if self._journal is not None:
            self._journal.close()

    def find(self, keys: Iterable[str]) -> Mapping[str, Completion]:
        """Return the answers that are there, by the key of their request."""
        if self._journal is None or not self._resume:
            return {}
        try:
            return self._journal.find(keys)
        except StoreError as error:
            self._failed(error)
            return {}

    def keep(self, answers: Mapping[str, Completion]) -> None:
        """Keep answers for the next run."""
        if self._journal is None or not answers:
            return
        try:
            self._journal.keep(answers)
        except StoreError as error:
            self._failed(error)

    def _failed(self, error: StoreError) -> None:
        """Go on without the journal."""
        self.close()
        self._journal = None
        self.notes.append(f"answers are not kept for another run: {error}")
