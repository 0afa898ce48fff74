"""What names of columns and keys, and the names in expressions, say about values."""

from __future__ import annotations

import pytest

from copilot_magic.context.secrets.named import named, named_in


@pytest.mark.parametrize("name", ["password", "API_KEY", "db_password", ("total", "password")])
def test_names_of_secrets_are_told(name: object) -> None:
    found = named(name)
    assert found is not None
    assert found.kind.strong


@pytest.mark.parametrize("name", ["user", "sort_key", "secret_santa_name", 3, None, ("a", 1), ()])
def test_other_names_say_nothing(name: object) -> None:
    assert named(name) is None


def test_what_is_inside_takes_on_a_weaker_form_of_the_name() -> None:
    inner = named("openai", named("api_keys"))
    assert inner is not None
    assert (inner.label, inner.kind.strong) == ("api_keys.openai", False)
    assert named("user", named("credentials")) is None


@pytest.mark.parametrize(
    "expression",
    [
        "password",
        "df['password']",
        "df.password.head(3)",
        "df.loc[0, 'password']",
        "df['password'].iloc[0]",
        "df.password.values[:5].tolist()",
        "list(df['password'])",
        "rows[0]['password']",
        "rows[0].get('password')",
        "os.getenv('DB_PASSWORD')",
        "getattr(user, 'password')",
        "get_password(1)",
    ],
)
def test_an_expression_says_that_its_value_is_a_secret(expression: str) -> None:
    found = named_in(expression)
    assert found is not None
    assert found.kind == named("password").kind  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "expression",
    ["df", "df[['user', 'password']]", "len(df.password)", "1 +", "", "[x for x in y]", "a + b"],
)
def test_other_expressions_say_nothing(expression: str) -> None:
    assert named_in(expression) is None


def test_a_part_of_a_secret_thing_may_be_harmless() -> None:
    found = named_in("secret.title")
    assert found is not None
    assert not found.kind.strong
    assert named_in("credentials.username") is None
    assert named_in("df" + ".T" * 400 + ".password") is not None
