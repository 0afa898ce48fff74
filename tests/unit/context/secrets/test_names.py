"""Names of secrets, and values that can be one."""

from __future__ import annotations

import pytest

from copilot_magic.context.secrets.names import Kind, is_placeholder, is_random, is_secret, kind_of


@pytest.mark.parametrize(
    ("name", "label", "strong"),
    [
        ("password", "password", True),
        ("dbPassword", "password", True),
        ("PGPASSWORD", "password", True),
        ("db_pwd", "password", True),
        ("password2", "password", True),
        ("api_key", "key", True),
        ("APIKey", "key", True),
        ("X-Api-Key", "key", True),
        ("aws_secret_access_key", "key", True),
        ("access_token", "token", True),
        ("client_secret", "secret", True),
        ("credentials", "credentials", True),
        ("token", "token", False),
        ("hf_token", "token", False),
        ("some_key", "key", False),
        ("password_of_ana", "password", False),
    ],
)
def test_a_name_says_what_its_value_is(name: str, label: str, strong: bool) -> None:
    assert kind_of(name, environment=False) == Kind(label, strong, True)


@pytest.mark.parametrize(
    "name",
    [
        "sort_key",
        "primary_key",
        "cache_key",
        "public_key",
        "keyboard",
        "monkey",
        "keyword",
        "tokenizer",
        "max_tokens",
        "next_token",
        "pad_token",
        "passenger",
        "passport",
        "secretary",
        "compass",
        "pwd",
        "PWD",
        "password_file",
        "token_type",
        "api_key_name",
        "secrets_manager_url",
        "x",
        "17",
        "_",
        "пароль",
    ],
)
def test_other_names_say_nothing(name: str) -> None:
    assert kind_of(name) is None


def test_every_such_name_of_the_environment_is_strong() -> None:
    assert kind_of("SORT_OF_KEY") == Kind("key", False)
    assert kind_of("SORT_OF_KEY", environment=True) == Kind("key", True)
    assert kind_of("TOKEN_OF_ANA", environment=True) == Kind("token", True)


STRONG, WEAK = Kind("password", True), Kind("token", False)


@pytest.mark.parametrize("value", ["hunter22", "abcdef", "correct horse", "/x7Kp2mQ9vL4nR8tY3w=="])
def test_a_strong_name_takes_any_value(value: str) -> None:
    assert is_secret(value, STRONG)


@pytest.mark.parametrize(
    "value",
    ["", "abcde", "True", "None", "123456", "1e-7", "2024-01-31", "/run/x", "C:\\x", "0x1F2E3D"],
)
def test_plain_values_are_no_secrets(value: str) -> None:
    assert not is_secret(value, STRONG)


@pytest.mark.parametrize(
    "value", ["<your key>", "${KEY}", "{key}", "******", "xxxxxxx", "password"]
)
def test_placeholders_are_no_secrets(value: str) -> None:
    assert is_placeholder(value)
    assert not is_secret(value, STRONG)


@pytest.mark.parametrize(
    ("value", "random"),
    [
        ("x7Kp2mQ9vL4n", True),
        ("b6907d289e10d714a6e88b30761fae22", True),
        ("3fa85f64-5717-4562-b3fc-2c963f66afa6", True),
        ("qWeRtYuIoPaSdF", True),
        ("customer_name", False),
        ("HTTPServerError2", False),
        ("covid19us2020", False),
        ("20240101T120000Z", False),
        ("1234567890123456", False),
        ("x7Kp2mQ", False),  # too short to say
    ],
)
def test_randomness(value: str, random: bool) -> None:
    assert is_random(value) is random
    assert is_secret(value, WEAK) is random


def test_a_hash_may_be_told_from_a_secret() -> None:
    assert not is_random("b6907d289e10d714a6e88b30761fae22", hexadecimal=False)
