"""The address: which ones can be asked, and where a request to them goes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from posting import ask, client

from copilot_magic.client.address import endpoint, origin, proxy_for
from copilot_magic.errors import SettingError


@pytest.mark.parametrize(
    "base_url",
    [
        "localhost:1337/v1",
        "",
        "ftp://host/v1",
        "http://",
        "http://host:port/v1",
        "http://host:0/v1",
        "http://[::1/v1",
        "http://evil.invalid\\.localhost/v1",
        "http://evil.invalid\n.localhost/v1",
        "http://a b/v1",
    ],
)
def test_an_unusable_address_is_refused_before_anything_is_sent(base_url: str) -> None:
    with pytest.raises(SettingError, match="base_url") as caught:
        ask(client(base_url))
    assert "http://localhost:1337/v1" in caught.value.hint
    assert caught.value.setting == "base_url"
    assert caught.value.suggestion == "http://localhost:1337/v1"


@pytest.mark.parametrize("base_url", ["me:secret@host/v1", "host/v1?key=secret"])
def test_an_address_without_a_scheme_does_not_show_its_secrets(base_url: str) -> None:
    with pytest.raises(SettingError, match="must begin with http") as caught:
        endpoint(base_url, "/models")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("base_url", "url"),
    [
        ("http://host/v1", "http://host/v1/models"),
        (" https://me:pw@host:8/v1/ ", "https://host:8/v1/models"),
        ("http://host/v1/chat/completions?key=k", "http://host/v1/models?key=k"),
    ],
)
def test_a_path_goes_below_the_address_and_user_and_password_do_not(
    base_url: str, url: str
) -> None:
    assert endpoint(base_url, "/models") == url


def test_two_urls_of_one_server_have_the_same_origin() -> None:
    assert origin("http://host/a") == origin("http://host:80/b?c")
    assert origin("https://host/a") == origin("https://HOST:443/a")
    assert len({origin(url) for url in ("http://a", "https://a", "http://b", "http://a:81")}) == 4


def test_a_proxy_is_named_without_its_password(use_proxy: Callable[[str], None]) -> None:
    assert proxy_for("http://host/v1") == ""
    use_proxy("http://me:pw@proxy:3128")
    assert proxy_for("http://host/v1") == "http://proxy:3128"
