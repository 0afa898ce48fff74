"""Addresses that a browser would take for something else are recognised."""

from __future__ import annotations

import pytest

from copilot_magic.markdown.addresses import is_mail, is_on_web


@pytest.mark.parametrize(
    "address",
    [
        "http://a",
        "HTTPS://A.example/b?c#d",
        "https://a.example:8080/../x",
        "https://a.example:",
        "https://a_b.example.",
        "https://a..b",
        "https://%61.example",
        "https://127.0.0.1",
        "https://0x7f.1",
        "https://4294967295",
        "https://0177.0.0.1.",
        "https://1.2.3.0x",
        "https://1.a",
        "https://[::1]:80/",
        "https://[::ffff:1.2.3.4]",
        "https://xn--mnchen-3ya.example/..a/b",
        "https://m%C3%BCnchen.example",
        "https://例え.example/a/..b",
        "https://a.example/[|^]?%00",
    ],
)
def test_an_address_with_a_valid_host_is_on_the_web(address: str) -> None:
    assert is_on_web(address)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "http:",
        "http:/a",
        "http://",
        "http:///a",
        "http:////a",
        "http://:80",
        "http://a@b",
        "http://a\\b",
        "http://a/\\b",
        "http://a\tb",
        "http://a/\nb",
        " http://a",
        "http://a ",
        "http://.",
        "http://a:65536",
        "http://a:b",
        "http://a:1:2",
        "http://[::1]a",
        "http://[::1%25eth0]",
        "http://1.2.3.4.5",
        "http://1.2.3.256",
        "http://256.1",
        "http://4294967296",
        "http://a.1",
        "http://1.2.3.08",
        "http://a.0xg.0x",
        "http://%FF",
        "http://%",
        "http://%2",
        "http://xn--a/../b",
        "http://xn--a/..",
        "http://xn--a/b/%2E./c",
        "http://\u0301/.%2e#",
        "ftp://a",
        "//a",
        "javascript://a/",
        *(f"http://%{ord(c):02X}/" for c in "\0\t\n\r #/:<>?@[\\]^|%\x01\x1f\x7f"),
        *(f"http://a{c}/" for c in "<>^|[]%"),
    ],
)
def test_an_address_without_a_valid_host_is_not(address: str) -> None:
    assert not is_on_web(address)


def test_mail_needs_somebody_to_write_to() -> None:
    assert is_mail("mailto:a@b.example") and is_mail("MAILTO:a")
    assert not is_mail("mailto:") and not is_mail("mailto://a") and not is_mail("x mailto:a")
