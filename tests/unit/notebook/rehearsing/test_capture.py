"""The streams in the copy."""

from __future__ import annotations

from typing import Any

import pytest

from copilot_magic.notebook.rehearsing.capture import Stream
from copilot_magic.notebook.rehearsing.telling import Telling


def stream(*, has_buffer: bool) -> tuple[Stream, list[Any]]:
    told: list[Any] = []
    return Stream("stdout", Telling(told.append), has_buffer=has_buffer), told


def test_what_is_written_is_told() -> None:
    out, told = stream(has_buffer=True)
    print("hello", file=out)
    out.buffer.write(b"bytes \xff")
    out.writelines(["a", "b"])
    assert "".join(message["text"] for message in told) == "hello\nbytes �ab"
    assert not out.isatty()
    assert out.fileno() == 1


def test_it_cannot_be_closed_since_it_is_wanted_until_the_end() -> None:
    out, told = stream(has_buffer=False)
    out.close()
    with out:
        pass
    print("on", file=out)
    assert told


def test_it_takes_what_the_stream_of_a_kernel_takes() -> None:
    out, _ = stream(has_buffer=False)
    with pytest.raises(TypeError, match="must be str, not bytes"):
        out.write(b"x")  # type: ignore[arg-type]
    assert not hasattr(out, "buffer")
