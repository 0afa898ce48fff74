"""What a copy tells: within limits, so that its last word gets through."""

from __future__ import annotations

import base64
import json
from typing import Any

from copilot_magic.notebook.rehearsing.reading import read
from copilot_magic.notebook.rehearsing.telling import Telling


def telling() -> tuple[Telling, list[dict[str, Any]]]:
    told: list[dict[str, Any]] = []
    return Telling(lambda message: told.append(json.loads(json.dumps(message)))), told


def test_the_first_pieces_of_text_are_told_at_once() -> None:
    """Code that never ends, or ends its process, has still said what it printed."""
    teller, told = telling()
    teller.text("stdout", "step 1\n")
    assert told == [{"kind": "text", "stream": "stdout", "text": "step 1\n"}]


def test_many_small_pieces_are_told_together_and_in_order() -> None:
    teller, told = telling()
    for number in range(10_000):
        teller.text("stdout" if number % 2 else "stderr", f"{number}\n")
    teller.outcome()
    assert len(told) < 10_200
    found = read(told)
    assert found.stdout.split("\n") == [str(n) for n in range(1, 10_000, 2)]
    assert found.stderr.split("\n") == [str(n) for n in range(0, 10_000, 2)]
    one_stream, told = telling()
    for _ in range(10_000):
        one_stream.text("stdout", "12345678\n")
    one_stream.flush()
    assert len(told) < 1_000


def test_of_much_text_the_beginning_and_the_end_are_told() -> None:
    teller, told = telling()
    for number in range(1_000):
        teller.text("stdout", f"{number:06}" * 1_000)
    teller.outcome()
    assert sum(len(json.dumps(message)) for message in told) < 200_000
    found = read(told)
    assert found.cut
    assert found.stdout.startswith("000000")
    assert found.stdout.endswith("000999")


def test_pictures_are_told_until_they_are_too_many_bytes() -> None:
    teller, told = telling()
    picture = b"\x89PNG" + bytes(1_500_000)
    for _ in range(10):
        teller.display({"text/plain": "Figure", "image/png": picture})
    teller.display({"text/plain": "large", "image/png": bytes(4_000_000)})
    teller.outcome()
    assert sum(len(json.dumps(message)) for message in told) < 8_000_000
    assert [m["text"] for m in told[:2]] == ["Figure"] * 2
    assert told[2]["text"] == "Figure (a picture too many, or too large)"
    assert told[-1]["cut"]


def test_of_many_displays_the_first_and_the_result_are_told() -> None:
    teller, told = telling()
    for number in range(1_000):
        teller.display({"text/plain": str(number)})
    teller.display({"text/plain": "result"}, is_result=True)
    assert len(told) == 101
    assert told[-1]["text"] == "result"


def test_a_picture_is_taken_as_bytes_and_as_base64() -> None:
    teller, told = telling()
    encoded = base64.b64encode(b"picture").decode()
    teller.display({"image/png": b"picture"})
    teller.display({"image/png": f"{encoded[:4]}\n{encoded[4:]}\n"})
    teller.display({"image/png": 7, "text/plain": 8})
    assert [message["png"] for message in told] == [encoded, encoded, ""]
    assert told[2]["text"] == "8"


def test_markdown_is_told_by_its_source_and_html_by_its_name() -> None:
    teller, told = telling()
    name = "<IPython.core.display.Markdown object>"
    teller.display({"text/plain": name, "text/markdown": "**x**"})
    teller.display({"text/plain": "df", "text/html": "<b>", "text/markdown": "|x|"})
    assert [message["text"] for message in told] == ["**x**", "df"]


def test_an_update_of_an_output_of_the_notebook_is_not_told() -> None:
    teller, told = telling()
    teller.display({"text/plain": "x"}, display_id="theirs", is_update=True)
    assert told == []
