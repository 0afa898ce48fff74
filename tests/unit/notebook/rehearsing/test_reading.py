"""What a copy tells, which may be anything that JSON can hold."""

from __future__ import annotations

import base64
import json
import struct
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copilot_magic.notebook.rehearsing.reading import Told, read


def png(width: int = 2, height: int = 2) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


def display(data: bytes | str, text: Any = "Figure", **more: Any) -> dict[str, Any]:
    encoded = base64.b64encode(data).decode() if isinstance(data, bytes) else data
    return {"kind": "display", "text": text, "png": encoded, **more}


def test_what_a_copy_of_ours_tells_is_taken() -> None:
    told = read(
        [
            {"kind": "ready"},
            {"kind": "text", "stream": "stdout", "text": "one\n"},
            {"kind": "text", "stream": "stderr", "text": "two"},
            display(png()),
            {"kind": "result", "text": "3", "png": ""},
            {"kind": "refused", "what": "write a"},
            {"kind": "outcome", "line": "E: x", "traceback": "T", "denied": True, "cut": True},
            {
                "kind": "names",
                "new": {"a": "int 1"},
                "changed": {"b": ["int 1", "int 2"]},
                "removed": ["c"],
                "kept": ["d"],
            },
        ]
    )
    assert told == Told(
        stdout="one\n".rstrip(),
        stderr="two",
        outputs=[{"text/plain": "Figure", "image/png": png()}, {"text/plain": "3"}],
        result={"text/plain": "3"},
        refused=["write a"],
        has_begun=True,
        has_run=True,
        error="E: x",
        traceback="T",
        denied=True,
        cut=True,
        compared=True,
        new={"a": "int 1"},
        changed={"b": ("int 1", "int 2")},
        removed=["c"],
        kept=["d"],
    )


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
KINDS = ("ready", "text", "display", "result", "clear", "refused", "outcome", "names")
KEYS = ("stream", "text", "png", "id", "update", "wait", "what", "line", "traceback", "denied")
KEYS += ("cut", "new", "changed", "removed", "kept")
MESSAGES = st.builds(
    lambda kind, rest: {**rest, "kind": kind},
    st.sampled_from(KINDS) | JSON,
    st.dictionaries(st.sampled_from(KEYS), st.sampled_from(("stdout", True, "x")) | JSON),
)


@given(st.lists(MESSAGES, max_size=8))
def test_any_messages_are_read_and_what_is_wrong_in_them_left_out(
    messages: list[dict[str, Any]],
) -> None:
    told = read(json.loads(json.dumps(messages)))
    assert all(isinstance(t, str) for t in (told.stdout, told.stderr, told.error, told.traceback))
    assert {type(flag) for flag in (told.has_run, told.denied, told.cut, told.compared)} == {bool}
    for output in told.outputs:
        assert set(output) <= {"text/plain", "image/png"}
    for name in (*told.new, *told.changed, *told.removed, *told.kept):
        assert name.removeprefix("builtins.").isidentifier()
    assert "\n" not in told.error
    told.stdout.encode()
    told.traceback.encode()


@pytest.mark.parametrize(
    "data",
    [
        "no Base64!",
        "AAAA",
        b"GIF89a" + b"\x01\x00\x01\x00" + bytes(20),
        b"<svg onload=alert(1)>",
        b"\x89PNG\r\n\x1a\n",
        png(0, 5),
        png(50_000, 1),
        png(20_000, 20_000),
        png() + bytes(5_000_000),
    ],
)
def test_only_a_png_file_of_a_bearable_size_is_a_picture(data: bytes | str) -> None:
    assert read([display(data)]).outputs == [{"text/plain": "Figure"}]


def test_many_and_large_pictures_do_not_fill_the_memory() -> None:
    large = png() + bytes(3_000_000)
    told = read([display(large)] * 50)
    assert sum("image/png" in output for output in told.outputs) <= 4
    assert len(read([display(png())] * 500).outputs) == 100


def test_an_update_replaces_its_display_and_no_other() -> None:
    told = read(
        [
            display("", "a", id="1"),
            display("", "b", id="2"),
            display("", "c", id="1", update=True),
            display("", "d", id="unknown", update=True),
        ]
    )
    assert [output["text/plain"] for output in told.outputs] == ["c", "b"]


@pytest.mark.parametrize(("wait", "left"), [(True, "one"), (False, "")])
def test_output_is_cleared_at_once_or_with_the_next(wait: bool, left: str) -> None:
    clear = {"kind": "clear", "wait": wait}
    one, two = ({"kind": "text", "stream": "stdout", "text": text} for text in ("one", "two"))
    assert read([one, clear]).stdout == left
    assert read([one, clear, two]).stdout == "two"


def test_text_is_shown_as_it_would_stand_there_and_cannot_move_a_cursor() -> None:
    told = read(
        [{"kind": "text", "stream": "stdout", "text": "10%\r100%\n\x1b[2J\x1b]0;title\x07\ud800x"}]
    )
    assert told.stdout == "100%\n�x"


def test_the_first_outcome_counts() -> None:
    """Code that has found the way to report can forge one, but not take back what was said."""
    first = {"kind": "outcome", "line": "E", "traceback": "", "denied": False}
    told = read([first, {**first, "line": ""}, {"kind": "outcome"}])
    assert told.error == "E"


def test_names_and_words_are_cut_and_checked() -> None:
    names = {f"x{i}": "`y`\n" * 500 for i in range(1000)}
    hostile = {"<b>": "x", "a b": "x", "a`b": "x", "x" * 101: "x", "ok": "x", "\u202ex": "x"}
    kept = [7, None, [], "<script>", "fine"]
    told = read(
        [
            {
                "kind": "names",
                "new": {**hostile, **names},
                "changed": {},
                "removed": [],
                "kept": kept,
            },
        ]
    )
    assert len(told.new) == 200
    assert "ok" in told.new
    assert not set(hostile) - {"ok"} & set(told.new)
    assert told.kept == ["fine"]
    assert len(told.new["x1"]) <= 300
    assert "`" not in told.new["x1"]
    assert "\n" not in told.new["x1"]


def test_what_was_refused_is_bounded() -> None:
    told = read([{"kind": "refused", "what": f"{i} " + "x" * 1000} for i in range(100)])
    assert len(told.refused) == 20
    assert all(len(what) <= 200 for what in told.refused)
