"""Typed answers of the real small model, whose server enforces their schema."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal
from uuid import UUID

import pytest
import requests

from copilot_magic.chat.prompt import Prompt
from copilot_magic.context.schema import AnswerType
from copilot_magic.context.typed.loose_json import BREAKS_OFF
from copilot_magic.errors import BadRequestError, ServerError
from copilot_magic.local import launcher
from copilot_magic.local.launcher import LocalServer
from copilot_magic.local.ports import free_port
from copilot_magic.local.weights import WEIGHTS
from copilot_magic.session.session import Session
from copilot_magic.settings import Settings

pydantic = pytest.importorskip("pydantic")
pytestmark = pytest.mark.model

RUNS = 20
SUBJECTS = (
    *("Paris", "Rome", "Berlin", "Madrid", "Oslo", "Lima", "Cairo", "Tokyo", "Delhi", "Bern"),
    *("dogs", "cats", "colours", "fruits", "cars", "rivers", "planets", "books", "games", "songs"),
)


@dataclass
class Review:
    title: str
    stars: int
    tags: list[str]


class City(pydantic.BaseModel):
    name: str
    population: int = pydantic.Field(ge=0)
    sights: list[str]


@pytest.fixture(scope="module")
def local(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    """Yield the local server, which all tests here share."""
    with pytest.MonkeyPatch.context() as patch:
        cache = tmp_path_factory.mktemp("cache")
        patch.setenv("XDG_CACHE_HOME", str(cache))
        (cache / "copilot_magic").mkdir()
        (cache / "copilot_magic" / WEIGHTS).symlink_to(weights)
        server = launcher.start(default_port=free_port())
        assert isinstance(server, LocalServer)
        try:
            yield server
        finally:
            launcher.stop()


@pytest.fixture
def session(local: LocalServer) -> Session:
    key = local.api_key
    return Session(Settings(base_url=local.base_url, store=None, get_api_key=lambda: key))


def asked(session: Session, text: str, schema: Any) -> str:
    exchange = session.ask(Prompt(text, schema=schema))
    for _ in exchange:
        pass
    return exchange.turn.answer


def typed(session: Session, answer: AnswerType, question: str) -> Any:
    """Ask, and once more with the problem, as a cell does."""
    session.library.new()
    schema = answer.response_format["json_schema"]
    text = asked(session, f"{question}\n\n{answer.instruction}", schema)
    try:
        return answer.parse(text)
    except ValueError as problem:
        words, schema = answer.repair(str(problem))
        return answer.parse(asked(session, words, schema))


@pytest.mark.parametrize(
    ("annotation", "question"),
    [
        (int, "How many letters are in the word {}?"),
        (bool, "Is this a city: {}?"),
        (list[str], "Which words come to mind with {}?"),
        (Literal["good", "bad"], "I like {} very much. Is that good or bad?"),
        (Review, "Write a review of a film about {}."),
        (City, "Describe {} as if it were a city."),
    ],
    ids=str,
)
def test_a_typed_answer_is_valid_every_time(
    session: Session, annotation: Any, question: str
) -> None:
    """A small model may write a list without end; the repair asks for a shorter one."""
    answer = AnswerType.of(annotation)
    kind = annotation if isinstance(annotation, type) else str
    values = [typed(session, answer, question.format(subject)) for subject in SUBJECTS]
    assert len(values) == RUNS
    if annotation == list[str]:
        assert all(isinstance(word, str) for value in values for word in value)
    else:
        assert all(type(value) is kind for value in values)


@pytest.mark.parametrize(
    "annotation",
    [
        *(float, str, None, Any, dict, date, datetime, Decimal, UUID, int | None, set[int]),
        *(tuple[int, str], tuple[float, float], dict[str, int], list[Review], list[City]),
    ],
    ids=str,
)
def test_the_server_takes_the_schema_of_each_kind_of_type(
    local: LocalServer, annotation: Any
) -> None:
    answer = AnswerType.of(annotation)
    for schema in (answer.response_format["json_schema"], answer.repair(BREAKS_OFF)[1]):
        response = requests.post(
            f"{local.base_url}/chat/completions",
            headers={"Authorization": f"Bearer {local.api_key}"},
            json={
                "messages": [{"role": "user", "content": "Hello"}],
                "response_format": {"type": "json_schema", "json_schema": schema},
                "max_tokens": 2,
            },
            timeout=60,
        )
        assert response.status_code == 200, response.text


def test_a_picture_is_refused_with_its_own_reason(session: Session) -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
    with pytest.raises((BadRequestError, ServerError)) as caught:
        list(session.ask(Prompt("What is this?", parts=(picture,))))
    assert caught.value.pictures
    assert caught.value.hint == "Ask a model that takes pictures"
