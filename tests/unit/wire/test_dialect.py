"""What one server turned out to need, and requests that are adapted to it."""

from __future__ import annotations

from typing import Any

import pytest

from copilot_magic.wire.dialect import HISTORY_BUDGET, Dialect, without_extensions, without_schema

ASKED: dict[str, Any] = {
    "model": "",
    "provider": "Copilot",
    "stream": True,
    "messages": [{"role": "user", "content": "Hello"}],
    "conversation_id": "2222",
    "conversation": {"conversation_id": "thread"},
    "temperature": 0.5,
}
PLAIN = {"stream": True, "messages": ASKED["messages"], "temperature": 0.5}


def test_an_unknown_server_gets_the_request_as_it_is() -> None:
    assert Dialect().adapt(ASKED) == ASKED


def test_a_server_that_is_not_gpt4free_gets_no_provider() -> None:
    without = {name: value for name, value in ASKED.items() if name != "provider"}
    assert Dialect(gpt4free=False).adapt(ASKED) == without
    assert Dialect(gpt4free=True).adapt(ASKED) == ASKED


def test_a_strict_server_gets_only_what_openai_knows() -> None:
    assert Dialect(strict=True).adapt(ASKED) == without_extensions(ASKED) == PLAIN
    assert without_extensions({**PLAIN, "model": "m"})["model"] == "m"


def test_a_server_that_needs_a_model_gets_one_unless_the_prompt_names_its_own() -> None:
    dialect = Dialect(model="small")
    assert dialect.adapt(ASKED) == {**ASKED, "model": "small"}
    assert dialect.adapt({**ASKED, "model": "mine"})["model"] == "mine"
    assert Dialect(strict=True, model="small").adapt(ASKED) == {**PLAIN, "model": "small"}


TYPED = {**ASKED, "model": "m", "response_format": {"type": "json_schema", "json_schema": {}}}


def test_a_server_that_takes_no_schemas_gets_none() -> None:
    untyped = without_schema(TYPED)
    assert untyped == {**ASKED, "model": "m"}
    dialect = Dialect()
    assert dialect.adapt(TYPED) == TYPED
    dialect.refuse_schemas(None)
    assert not dialect.schemas
    assert dialect.adapt(TYPED) == untyped


def test_a_model_that_takes_no_schemas_gets_none_and_others_do() -> None:
    dialect = Dialect()
    dialect.refuse_schemas("m")
    assert dialect.adapt(TYPED) == without_schema(TYPED)
    assert dialect.adapt({**TYPED, "model": "other"})["response_format"]
    assert dialect.takes_schemas("other") and not dialect.takes_schemas("m")


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("model", ["", "small"])
@pytest.mark.parametrize("schemas", [True, False])
def test_adapting_again_changes_nothing_and_never_the_request_itself(
    strict: bool, model: str, schemas: bool
) -> None:
    dialect = Dialect(strict=strict, model=model, schemas=schemas)
    before = dict(ASKED)
    adapted = dialect.adapt(ASKED)
    assert dialect.adapt(adapted) == adapted
    assert before == ASKED


def test_the_budget_is_halved_for_the_model_that_refused_alone() -> None:
    dialect = Dialect()
    assert dialect.budget("small") == HISTORY_BUDGET
    dialect.halve("small", 6001)
    assert dialect.budget("small") == 3000
    assert dialect.budget("big") == HISTORY_BUDGET
