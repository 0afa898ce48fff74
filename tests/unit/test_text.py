"""Text of any origin, made safe."""

from __future__ import annotations

import pytest

from copilot_magic.text import (
    contains,
    count_of,
    escape,
    free_name,
    one_line,
    printable,
    well_formed,
    without_credentials,
)


def test_a_servers_words_cannot_smuggle_escape_sequences() -> None:
    assert one_line("a\x1b[31mb\u202ec\x00d\u2028e") == "a [31mb c d e"


def test_a_long_text_is_cut() -> None:
    assert one_line("x" * 5000) == "x" * 299 + "…"


def test_control_characters_become_visible_and_line_ends_one_kind() -> None:
    assert printable("a\x1b[0m\r\nb\rc\x7f\u202e") == "a␛[0m\nb\nc␡<U+202E>"


def test_html_shows_the_text_as_it_is() -> None:
    assert escape("<b title='x'>\x00") == "&lt;b title=&#x27;x&#x27;&gt;␀"


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


def test_one_of_a_thing_is_no_plural() -> None:
    assert [count_of(n, "turn") for n in (0, 1, 2, 1000)] == [
        "0 turns",
        "1 turn",
        "2 turns",
        "1,000 turns",
    ]
