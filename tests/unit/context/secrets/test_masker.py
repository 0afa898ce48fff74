"""What a masker knows, and that nothing of it is left in a text."""

from __future__ import annotations

import importlib
import json
import random
import re
import string
import sys
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from secret_texts import HARMLESS, WITH_SECRETS

from copilot_magic.context.secrets.masker import Masker

sre_parser: Any = importlib.import_module(
    "re._parser" if sys.version_info >= (3, 11) else "sre_parse"
)

ENVIRON = {
    "OPENAI_API_KEY": "sk-test-of-a-key",
    "COPILOT_API_KEY": "top-secret",
    "GITHUB_TOKEN": "ghp_0123456789abcdefghijABCDEFGHIJ012345",
    "DB_PASSWORD": "hunter22",
    "PGPASSWD": "hunter33",
    "MY_SECRET": "abcdef",
    "AZURE_CREDENTIAL": "ghijkl",
    "GITLAB_PAT": "mnopqr",
    "MYSQL_PWD": "stuvwx",
    "SESSION_TOKEN_OLD": "yzabcd",
}


@pytest.mark.parametrize(("name", "value"), ENVIRON.items())
def test_a_secret_of_the_environment_is_masked_by_its_name(name: str, value: str) -> None:
    masker = Masker(environ=ENVIRON)
    assert masker.mask(f"It is {value}, or x{value}y.") == (
        f"It is [masked: {name}], or x[masked: {name}]y."
    )
    assert masker.masked == [name]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PWD", "abcdefgh"),
        ("OLDPWD", "abcdefgh"),
        ("SSH_AUTH_SOCK", "abcdefgh"),
        ("TOKENIZERS_PARALLELISM", "abcdefgh"),
        ("MAX_TOKENS", "abcdefgh"),
        ("KEYBOARD", "abcdefgh"),
        ("MONKEY", "abcdefgh"),
        ("TOKEN_FILE", "abcdefgh"),
        ("PUBLIC_KEY", "abcdefgh"),
        ("HOME", "abcdefgh"),
        ("USE_TOKEN", "false"),
        ("USE_TOKEN", "disabled"),
        ("SOME_TOKEN", "100000"),
        ("SOME_KEY", "/run/secrets/key"),
        ("SOME_KEY", "C:\\keys\\mine"),
        ("SOME_KEY", "~/.ssh/id"),
        ("SOME_KEY", "abcde"),
        ("SOME_KEY", "12.5e3"),
        ("SOME_PASSWORD", "password"),
        ("API_KEY", "your-api-key-here"),
        ("API_KEY", "OPENAI_API_KEY"),
        ("API_KEY", "********"),
        ("API_KEY", "${OTHER}"),
    ],
)
def test_other_values_of_the_environment_are_none(name: str, value: str) -> None:
    masker = Masker(environ={name: value})
    assert masker.mask(f"It is {value} here") == f"It is {value} here"
    assert masker.masked == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("api_key", "abcdefgh"),
        ("apiKey", "abcdefgh"),
        ("db_password", "hunter22"),
        ("password", "correct horse battery staple"),
        ("API_KEY", "abcdefgh"),
        ("client_secret", "abcdef"),
        ("SecretAccessKey", "abcdef"),
        ("private_key", b"abcdef"),
        ("credentials", "abcdef"),
        ("password_db", "x7Kp2mQ9vL4n"),
        ("API_KEY_PROD", "abcdefgh"),
        ("token", "x7Kp2mQ9vL4nR8"),
        ("hf_token", "x7Kp2mQ9vL4nR8"),
        ("weather_key", "b6907d289e10d714a6e88b30761fae22"),
        ("key", "x7Kp2mQ9vL4nR8"),
        ("token", "b6907d289e10d714a6e88b30761fae22"),
    ],
)
def test_a_secret_among_the_variables_is_masked(name: str, value: Any) -> None:
    text = value if isinstance(value, str) else value.decode()
    masker = Masker({name: value})
    assert masker.mask(f"connect({text!r})") == f"connect('[masked: {name}]')"
    assert masker.masked == [name]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("sort_key", "customer_name"),
        ("primary_key", "order_id"),
        ("partition_key", "x7Kp2mQ9vL4nR8"),
        ("token", "running"),
        ("token", "<|begin_of_text|>"),
        ("pad_token", "x7Kp2mQ9vL4nR8"),
        ("tokens", ["x7Kp2mQ9vL4nR8"]),
        ("key", "price"),
        ("key", "2024-01-31"),
        ("key", "d41d8cd98f00b204e9800998ecf8427e"),
        ("key", "3fa85f64-5717-4562-b3fc-2c963f66afa6"),
        ("key", "data/raw/2024/orders_v2.parquet"),
        ("group_key", "region_code_17"),
        ("keyword", "abcdefgh"),
        ("secretary", "Angela Merkel"),
        ("passenger", "abcdefgh"),
        ("tokenizer", "bert-base-uncased"),
        ("password_column", "abcdefgh"),
        ("secret_santa", "Heiner Bauer"),
        ("password", 12345678),
        ("password", None),
        ("pwd", "abcdefgh"),
        ("pat", "abcdefgh"),
    ],
)
def test_other_variables_are_left_alone(name: str, value: Any) -> None:
    masker = Masker({name: value})
    assert masker.mask(f"it is {value} there") == f"it is {value} there"


def test_a_dictionary_is_looked_into_once() -> None:
    variables = {
        "config": {"user": "heiner99", "password": "hunter22", "deep": {"password": "hunter33"}},
        "api_keys": {"openai": "x7Kp2mQ9vL4nR8", "note": "for work"},
        "credentials": {"user": "heiner99", "secret": "hunter44"},
    }
    masker = Masker(variables)
    text = masker.mask("heiner99 hunter22 hunter33 x7Kp2mQ9vL4nR8 for work hunter44")
    assert text == (
        "heiner99 [masked: config.password] hunter33 [masked: api_keys.openai] for work"
        " [masked: credentials.secret]"
    )
    assert masker.masked == ["config.password", "api_keys.openai", "credentials.secret"]


def test_pydantics_secrets_are_masked_whatever_their_name() -> None:
    pydantic = pytest.importorskip("pydantic")
    masker = Masker({"a": pydantic.SecretStr("hunter22"), "b": pydantic.SecretBytes(b"hunter33")})
    assert masker.mask("hunter22 hunter33") == "[masked: a] [masked: b]"


def test_objects_are_not_touched() -> None:
    class Hostile:
        touched = False

        def __getattribute__(self, name: str) -> Any:
            Hostile.touched = True
            raise RuntimeError(name)

        def __eq__(self, other: object) -> bool:
            Hostile.touched = True
            raise RuntimeError

        def __hash__(self) -> int:
            Hostile.touched = True
            return 1

        def __bool__(self) -> bool:
            Hostile.touched = True
            raise RuntimeError

    class Text(str):
        def __len__(self) -> int:
            Hostile.touched = True
            raise RuntimeError

        def strip(self, *_: Any) -> Any:
            Hostile.touched = True
            raise RuntimeError

    class Table(dict[Any, Any]):
        def items(self) -> Any:
            Hostile.touched = True
            raise RuntimeError

    keys = {Hostile(): "hunter22"}
    Hostile.touched = False
    Masker(
        {
            "password": Hostile(),
            "secret": Text("hunter22"),
            "credentials": Table(password="hunter22"),
            "config": {"password": Hostile(), 3: "hunter22"},
            "passwords": keys,
        }
    ).mask("hunter22")
    assert not Hostile.touched


@pytest.mark.parametrize(
    "secret",
    [
        "päss wörd/1",
        "with \"both\" 'quotes'",
        "back\\slash99",
        "line\none22",
        "a&b=c d+e",
        "🔑 my key 🔑",
    ],
)
def test_a_secret_is_found_in_the_ways_it_is_written(secret: str) -> None:
    masker = Masker({"password": secret})
    for written in (
        secret,
        repr(secret)[1:-1],
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        quote(secret),
        quote(secret, safe=""),
    ):
        assert masker.mask(f"<{written}>") == "<[masked: password]>"


def test_a_secret_within_another_leaves_nothing_behind() -> None:
    masker = Masker({"password": "hunter", "db_password": "hunter22", "api_key": "er22tail"})
    assert masker.mask("hunter22") == "[masked: db_password]"
    assert masker.mask("hunter22tail!") == "[masked: db_password]!"
    assert masker.mask("hunter") == "[masked: password]"


def test_a_mask_has_no_secret_in_it() -> None:
    masker = Masker({"hunter22_password": "hunter22", "password": "GitHub"})
    assert masker.mask("hunter22") == "[masked: secret]"
    assert "GitHub" not in masker.mask("GitHub ghp_0123456789abcdefghijABCDEFGHIJ012345")
    assert masker.masked == ["secret", "password"]


def test_a_name_cannot_forge_a_text() -> None:
    masker = Masker({'password"]\n': "hunter22"})
    assert masker.mask("hunter22") == "[masked: password___]"


def test_a_mask_that_somebody_wrote_protects_no_secret() -> None:
    masker = Masker({"password": "hunter22"})
    assert "hunter22" not in masker.mask("[masked: hunter22] [masked: password hunter22]")


def test_each_mask_is_counted_once_in_the_order_of_appearance() -> None:
    masker = Masker({"password": "hunter22"}, ENVIRON)
    masker.mask("nothing at all")
    assert masker.masked == []
    masker.mask("top-secret")
    masker.mask("ghp_0123456789abcdefghijABCDEFGHIJ999999 top-secret hunter22")
    assert masker.masked == ["COPILOT_API_KEY", "GitHub token", "DB_PASSWORD"]
    masker.masked.clear()
    assert masker.masked[0] == "COPILOT_API_KEY"


def test_its_repr_and_its_attributes_show_no_secret() -> None:
    masker = Masker({"password": "hunter22"}, ENVIRON)
    masker.mask("hunter22 top-secret")
    public = [getattr(masker, name) for name in dir(masker) if not name.startswith("_")]
    shown = f"{masker!r} {masker} {public}"
    assert "DB_PASSWORD" in shown
    assert not any(value in shown for value in ENVIRON.values())


SECRETS = [
    "hunter22",
    "top-secret",
    "sk-proj-abcDEF0123456789abcDEF0123456789",
    "ghp_0123456789abcdefghijABCDEFGHIJ012345",
    "aB3dE5fG7hI9jK1lM3nO5pQ7",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abcdefghijk",
]
FRAGMENTS = st.sampled_from(
    [
        *SECRETS,
        *('password = "', 'api_key="', "token: ", "DB_PASSWORD=", '"secret": "', "Bearer "),
        *("Authorization: Bearer ", "https://u:", "@host/", "--password ", "[masked: ", "]"),
        *('"', "'", "\n", " ", ",", "=", "\\", "-", "_", "/", "x", "a1B2", "[masked: DB_PASSWORD]"),
        *("-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----", "data:image/png;base64,"),
    ]
)


@settings(max_examples=600, deadline=None)
@given(st.lists(FRAGMENTS, max_size=12).map("".join))
def test_masking_twice_changes_nothing_and_no_known_secret_is_left(text: str) -> None:
    masker = Masker({"password": "hunter22"}, ENVIRON)
    once = masker.mask(text)
    assert masker.mask(once) == once
    assert not any(value in once for value in ENVIRON.values())


@settings(max_examples=300, deadline=None)
@given(st.text(), st.text(min_size=6, max_size=30), st.text())
def test_no_password_is_left_in_any_text(before: str, secret: str, after: str) -> None:
    masker = Masker({"password": secret})
    once = masker.mask(before + secret + after)
    assert masker.mask(once) == once
    if masker.mask(secret) != secret:
        assert secret.strip() not in once


def test_text_without_secrets_is_the_same_object() -> None:
    text = "just words " * 1_000
    assert Masker().mask(text) is text


SLOW = [
    *(
        "a",
        "A",
        "0",
        "=",
        "-",
        "_",
        ".",
        " ",
        "\n",
        '"',
        "'",
        "\\",
        "/",
        ":",
        "[",
        "eyJ",
        "SG.",
        "sk-",
    ),
    *("a-", "a_", "a.", "a ", "a=", 'a="', "a: ", "aA0", "password", "password=", 'password="'),
    *(
        "password='",
        'password=\\"',
        'password=""" ',
        "password = ",
        "token: ",
        "://",
        "://a:",
        "://a:b@",
    ),
    *("-----BEGIN PRIVATE KEY-----", "-----BEGIN PRIVATE KEY-----\nAAAA", "AKIA", "hf_", "AIza"),
    *("Bearer ", "Authorization: ", "Authorization: Bearer ", "data:", "data:image/png;base64,"),
    *(
        "[masked: ",
        "[masked: password]",
        "[masked: password",
        "A" * 64 + "\n",
        "--password ",
        "?sig=",
    ),
    *("xoxb-", "Ma.", "1:AA", '"password", ', "password: Optional[str] = ", "//", "a/", "a+"),
]


@pytest.mark.parametrize("piece", SLOW)
def test_ten_times_the_text_is_ten_times_the_work(piece: str) -> None:
    """Counted in lines of Python; a pattern that takes the square of a length would never end."""
    masker = Masker({"password": "hunter22"}, ENVIRON)
    small, large = (_steps(masker, piece * (size // len(piece))) for size in (4_000, 40_000))
    assert large < 14 * small + 20_000
    masker.mask(piece * (200_000 // len(piece)))


MODULES = ("assignments", "entropy", "cut", "formats", "names", "masker")


def patterns(value: object) -> Iterator[re.Pattern[str]]:
    if isinstance(value, re.Pattern):
        yield value
    elif isinstance(value, (tuple, list)):
        for item in value:
            yield from patterns(item)
    elif isinstance(value, dict):
        yield from patterns(list(value.values()))


@pytest.mark.parametrize("module", MODULES)
def test_no_pattern_repeats_without_limit_what_repeats_without_limit(module: str) -> None:
    """Such patterns may take a time exponential in the length of a text."""
    names = vars(importlib.import_module(f"copilot_magic.context.secrets.{module}"))
    for pattern in patterns(list(names.values())):
        assert not _nested(sre_parser.parse(pattern.pattern, pattern.flags), False), pattern


def _nested(node: Any, is_inside: bool) -> bool:
    if isinstance(node, sre_parser.SubPattern):
        return any(_nested(item, is_inside) for item in node.data)
    if isinstance(node, tuple) and str(node[0]).endswith("MAX_REPEAT"):
        endless = node[1][1] > 5_000
        return (endless and is_inside) or _nested(node[1][2], is_inside or endless)
    if isinstance(node, (tuple, list)):
        return any(_nested(item, is_inside) for item in node)
    return False


def _steps(masker: Masker, text: str) -> int:
    steps = 0

    def count(frame: Any, event: str, argument: Any) -> Any:
        nonlocal steps
        steps += 1
        return count

    before = sys.gettrace()
    sys.settrace(count)
    try:
        masker.mask(text)
    finally:
        sys.settrace(before)
    return steps


def test_a_random_megabyte_is_masked() -> None:
    draw = random.Random(1)
    words = ["".join(draw.choices(string.ascii_letters, k=draw.randint(1, 12))) for _ in range(500)]
    text = " ".join(draw.choices(words, k=150_000)) + " hunter22 "
    assert re.search("hunter22", Masker({"password": "hunter22"}).mask(text)) is None


@pytest.mark.parametrize("text", HARMLESS)
def test_what_data_people_write_stays_byte_for_byte(text: str) -> None:
    masker = Masker({}, {"HOME": "/home/ana", "API_KEY_FILE": "/run/key", "MAX_TOKENS": "100000"})
    assert masker.mask(text) == text
    assert masker.masked == []


@pytest.mark.parametrize(("text", "secret"), WITH_SECRETS)
def test_a_secret_vanishes_and_its_surroundings_stay(text: str, secret: str) -> None:
    assert secret in text
    masker = Masker()
    once = masker.mask(text)
    assert secret not in once
    assert masker.masked
    assert masker.mask(once) == once
    assert once.split("[masked: ")[0] == text[: once.index("[masked: ")]
    assert text.endswith(once.rpartition("]")[2])


@pytest.mark.parametrize("text", HARMLESS)
def test_a_secret_among_harmless_texts_is_the_only_one_masked(text: str) -> None:
    once = Masker().mask(f"{text}\n\npassword = 'hunter22'\n\n{text}")
    assert once == f"{text}\n\npassword = '[masked: password]'\n\n{text}"
