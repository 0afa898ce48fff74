"""Text of any origin, made safe."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rendering import check, text_of

from copilot_magic.text import (
    contains,
    count_of,
    escape,
    fenced,
    free_name,
    one_line,
    printable,
    well_formed,
    without_controls,
    without_credentials,
)


def test_a_servers_words_cannot_smuggle_escape_sequences() -> None:
    assert one_line("a\x1b[31mb\u202ec\x00d\u2028e") == "a [31mb c d e"


def test_a_long_text_is_cut() -> None:
    assert one_line("x" * 5000) == "x" * 299 + "…"


def test_control_characters_become_visible_and_line_ends_one_kind() -> None:
    assert printable("a\x1b[0m\x07\r\nb\rc\td\x7f\x9b\u202e") == "a␛[0m␇\nb\nc\td␡<U+009B><U+202E>"


def test_plain_words_stay_as_they_are() -> None:
    assert printable("grüße 👋\n\t") == "grüße 👋\n\t"


@given(st.text(alphabet=st.characters(max_codepoint=0x20FF)))
def test_no_printable_text_controls_a_terminal(text: str) -> None:
    assert not re.search(
        "[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", printable(text)
    )


def test_control_characters_can_be_removed() -> None:
    assert without_controls("a\x1b[0m\tb\n\x00\x9b\u202e") == "a[0m\tb\n"


def test_html_shows_the_text_as_it_is() -> None:
    assert escape("<b title='x'>\x00") == "&lt;b title=&#x27;x&#x27;&gt;␀"


@given(st.text())
def test_escaped_text_reads_the_same_and_is_no_markup(text: str) -> None:
    check(escape(text))
    assert not re.search("[<\"']", escape(text))
    assert text_of(escape(text)) == printable(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("\ud83d\ude00", "😀"), ("a\ud83d", "a\ufffd"), ("\ude00b", "\ufffdb"), ("plain", "plain")],
)
def test_surrogates_are_joined_or_replaced(text: str, expected: str) -> None:
    assert well_formed(text) == expected
    well_formed(text).encode()


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://me:pw@host:8/v1?key=k#f", "https://host:8/v1"),
        ("http://host/v1", "http://host/v1"),
        ("http://a@b@host/v1", "http://host/v1"),
        ("http://[", ""),
    ],
)
def test_an_url_is_shown_without_credentials(url: str, shown: str) -> None:
    assert without_credentials(url) == shown


def test_search_ignores_case_in_every_script() -> None:
    assert contains("Die STRASSE", "straße")
    assert contains("ÄRGER", "ärger")
    assert not contains("abc", "abd")


def test_a_free_name_is_the_wanted_one_or_the_first_with_a_number() -> None:
    taken = {"talk", "talk 2"}
    assert free_name("other", taken.__contains__) == "other"
    assert free_name("talk", taken.__contains__) == "talk 3"
    assert free_name("talk 2", taken.__contains__) == "talk 3"
    assert free_name("Report 2026", {"Report 2026"}.__contains__) == "Report 2026 2"
    assert free_name("", {""}.__contains__) == " 2"


def test_one_of_a_thing_is_no_plural() -> None:
    assert [count_of(n, "turn") for n in (0, 1, 2, 1000)] == [
        "0 turns",
        "1 turn",
        "2 turns",
        "1,000 turns",
    ]


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("me:secret@host/v1", "host/v1"),
        ("http://me:sec/ret@host/v1", "http://host/v1"),
        ("http://me:sec#ret@host:80/v1", "http://host:80/v1"),
        ("http://me@corp:sec?ret@host/v1", "http://host/v1"),
        ("http://me:sec\\\\ret@host/v1", "http://host/v1"),
        ("http://host/@path/v1", "http://host/@path/v1"),
        ("http://[::1]:80/@path", "http://[::1]:80/@path"),
        ("localhost:1337/v1", "localhost:1337/v1"),
        ("http://me:secret@[::1/v1", ""),
    ],
)
def test_what_is_not_quite_an_url_does_not_show_a_password_either(url: str, shown: str) -> None:
    assert without_credentials(url) == shown


@pytest.mark.parametrize(
    ("text", "fence"),
    [("x", "```"), ("a `b` ``c``", "```"), ("```\nx\n```", "````"), ("`````", "``````")],
)
def test_a_fence_is_longer_than_any_in_its_text(text: str, fence: str) -> None:
    assert fenced(text, "text") == f"{fence}text\n{text}\n{fence}"
