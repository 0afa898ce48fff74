"""The answer in a response: what its events add, and how it ended."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

from ..errors import EmptyAnswerError, MalformedAnswerError, PromptError
from ..text import count_of
from ..wire.chunks import ChunkReader, Delta
from ..wire.dialect import Dialect
from ..wire.ending import Ending
from ..wire.failures import reported_error
from .connection import Call
from .reading import read_events

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse

__all__ = ["receive"]


def receive(
    call: Call, response: BaseHTTPResponse, ending: Ending, *, provider: str, dialect: Dialect
) -> Generator[Delta, None, None]:
    """Yield what the events of an answer add, and at the end the notes on it.

    Args:
        call: The connection.
        response: The response, with its body still to be read.
        ending: What decides how the answer ends.
        provider: The provider that was asked for.
        dialect: What the server is known to be. One that names the provider as it was asked for,
            or sends a ``conversation`` object, is gpt4free.

    Raises:
        PromptError: There was no answer, or not all of it; what arrived was yielded before.
    """
    reader = ChunkReader(call.redact)
    failure: PromptError | None = None
    unreadable: MalformedAnswerError | None = None
    try:
        for event in read_events(call, response, ending):
            try:
                delta = reader.read(event.data, event.event)
            except MalformedAnswerError as error:
                unreadable = unreadable or error
                if ending.body_ended:
                    # Half an event at the end shows that the answer was cut.
                    ending.broken = ending.broken or _half_an_event(ending, event.data, error)
                else:
                    reader.unreadable += 1
                continue
            if delta is not None:
                ending.note(delta)
                if delta.continuation or (delta.provider and delta.provider == provider):
                    dialect.gpt4free = True
                if delta.error is not None:
                    said = call.redact(delta.error)
                    failure = reported_error(said, provider=provider, begun=ending.kept)
                    delta = delta._replace(error=None)
                yield delta
            if failure or reader.done:
                break
    except MalformedAnswerError as error:  # an event without end
        failure = error
        error.begun = ending.kept
    rest = reader.finish()
    if rest is not None:
        ending.note(rest)
        yield rest
    failure = failure or ending.error(reader.done)
    notes = () if failure else ending.notes(reader.done)
    if reader.unreadable:
        notes = (*notes, f"{count_of(reader.unreadable, 'unreadable line')} skipped")
    if notes:
        yield Delta(notes=notes)
    if failure is None:
        return
    if unreadable and type(failure) is EmptyAnswerError and not ending.finish_reason:
        raise unreadable
    raise failure


def _half_an_event(ending: Ending, data: str, unreadable: MalformedAnswerError) -> PromptError:
    """Return the error for a body whose last event is `data`, which cannot be read."""
    if ending.in_one_piece or not (ending.begun or data.startswith("{")):
        return unreadable
    return ending.cut_error()
