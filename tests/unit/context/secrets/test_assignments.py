"""Values beside the names of secrets."""

from __future__ import annotations

import pytest

from copilot_magic.context.secrets.assignments import assignments_in


def found(text: str) -> list[tuple[str, str]]:
    return [(label, text[start:end]) for start, end, label in assignments_in(text)]


@pytest.mark.parametrize(
    "text",
    [
        "password = '{}'",
        'password: "{}",',
        '{{"password": "{}"}}',
        '{{\\"password\\": \\"{}\\"}}',
        "password = b'{}'",
        "password = '''{}'''",
        "config['password'] = \"{}\"",
        "config.password='{}'",
        "password: str = '{}'",
        "password: Optional[str] = '{}'",
        "password: str | None = '{}'",
        "if (password := '{}'):",
        "password=SecretStr('{}')",
        "PASSWORD={}",
        "export DB_PASSWORD={}",
        "password={}",
        "password: {}",
        "--password {}",
        "--password={}",
        "http://x/?a=1&password={}&b=2",
        "[db]\npassword = {}\nport = 1",
    ],
)
def test_the_value_alone_is_secret(text: str) -> None:
    assert found(text.format("hunter22")) == [("password", "hunter22")]


def test_quotation_marks_within_a_value_belong_to_it() -> None:
    assert found(r'password = "hun\"ter22" # x') == [("password", r"hun\"ter22")]
    assert found('password = "don\'t tell"') == [("password", "don't tell")]


def test_an_unclosed_value_ends_with_its_line() -> None:
    assert found('password = "hunter22\nx = 1') == [("password", "hunter22")]


def test_a_quotation_mark_that_ends_a_string_begins_no_value() -> None:
    assert found('a, b = input("Name: "), getpass("Password: "), "hunter22"') == []
    assert found('print("Password: " + \'hunter22\' + "x")') == []
    assert found("I don't use password: 'hunter22'") == [("password", "hunter22")]


def test_in_an_env_file_all_after_the_sign_is_the_value() -> None:
    assert found("A=1\nPASSWORD=cor,rect(horse;&x\nB=2") == [("password", "cor,rect(horse;&x")]
    assert found("PASSWORD=correcthorse\n") == [("password", "correcthorse")]
    assert found("login(PASSWORD=correcthorse)") == []


@pytest.mark.parametrize(
    "text",
    [
        "password = getpass()",
        "password = config.password2",
        "password = passwords[17]",
        "password = db_password1",
        "access_key, secret_key = s3_connection",
        "password: SecretStr",
        "api_key: str = ''",
        "password: Credentials2",
        "token = tokenizer(text)",
        'key="name"',
        'os.environ["API_KEY"]',
        'os.getenv("API_KEY", "default")',
        '["password", "user_name"]',
        '"password": "Please enter your password"',
        'creds = " --username="',
        "Azure::Credentials::Token1",
        "tool --password PASSWORD --token TOKEN",
        "e.password=null;let x17=1",
        '"secret-access-key": "aws_secret_access_key"',
        "password = [masked: DB_PASSWORD]",
        'password = "[masked: DB_PASSWORD]"',
    ],
)
def test_source_and_prose_are_no_values(text: str) -> None:
    assert found(text) == []
