"""Secrets of a known form."""

from __future__ import annotations

import pytest

from copilot_magic.context.secrets.formats import FORMAT_LABELS, formats_in

BASE62 = "aB3dE5fG7hI9jK1lM3nO5pQ7rS9tU1vW3xY5"


def found(text: str) -> list[tuple[str, str]]:
    return [(label, text[start:end]) for start, end, label in formats_in(text)]


@pytest.mark.parametrize(
    ("label", "secret"),
    [
        ("OpenAI key", f"sk-proj-{BASE62}"),
        ("Anthropic key", f"sk-ant-api03-{BASE62}"),
        ("GitHub token", f"ghp_{BASE62}"),
        ("GitLab token", f"glpat-{BASE62}"),
        ("Hugging Face token", f"hf_{BASE62}"),
        ("Replicate token", f"r8_{BASE62}"),
        ("access key", f"gsk_{BASE62}"),
        ("Stripe key", "sk_test_4eC39HqLyjWDarjtT1zdp7dc"),
    ],
)
def test_a_key_is_named_after_its_service_and_ends_where_it_ends(label: str, secret: str) -> None:
    assert found(f"'{secret}', more") == [(label, secret)]
    assert label in FORMAT_LABELS


def test_a_key_does_not_begin_inside_a_word() -> None:
    assert found(f"task-{BASE62} disk-{BASE62}") == []


@pytest.mark.parametrize(
    "text",
    [
        "sk-learn-compatible-estimators-everywhere",
        "hf_transformersmodelloader",
        "sk-no-key-required",
    ],
)
def test_names_that_begin_like_a_key_are_none(text: str) -> None:
    assert found(text) == []


def test_of_a_url_the_password_alone_is_secret() -> None:
    assert found("a postgresql://ana:hunter22@db:5432/x?y=z b") == [
        ("password in a URL", "hunter22")
    ]
    assert found("amqp://ana:p@ss@host/") == [("password in a URL", "p@ss")]
    assert found("http://localhost:8888/a@b http://h:80?mail=a@b") == []


def test_of_a_header_the_credentials_alone_are_secret() -> None:
    assert found("-H 'Authorization: Bearer abcdef12345'") == [
        ("Authorization header", "abcdef12345")
    ]
    assert found("Authorization: Bearer $TOKEN, Bearer authentication is meant") == []


PEM = "-----BEGIN PRIVATE KEY-----\n" + "MIIEvQIBADANBg\n" * 9 + "-----END PRIVATE KEY-----"


def test_a_private_key_is_one_secret_from_its_begin_to_its_end() -> None:
    assert found(f"a\n{PEM}\nb") == [("private key", PEM)]
    assert found(f"{PEM}\n{PEM}") == [("private key", PEM)] * 2
    escaped = PEM.replace("\n", "\\n")
    assert found(f'{{"k": "{escaped}"}}') == [("private key", escaped)]


def test_a_private_key_without_an_end_ends_with_its_last_line() -> None:
    begin = "-----BEGIN RSA PRIVATE KEY-----\n" + "A1b2" * 16 + "\n" + "C3d4" * 16
    assert found(f"{begin}\nand prose after it") == [("private key", begin)]


def test_source_that_looks_for_keys_has_none() -> None:
    text = 'a = "-----BEGIN PRIVATE KEY-----"\nb = "-----END PRIVATE KEY-----"\n'
    assert found(text) == []
