"""The schemas of typed answers, and pictures, at the real small model's server."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
import requests

from copilot_magic.chat.prompt import Prompt
from copilot_magic.context.typed.answer_type import AnswerType
from copilot_magic.context.typed.loose_json import BREAKS_OFF
from copilot_magic.errors import BadRequestError, ServerError
from copilot_magic.local.process import LocalServer
from copilot_magic.session.session import Session
from copilot_magic.settings import Settings

pydantic = pytest.importorskip("pydantic")
pytestmark = pytest.mark.model


@dataclass
class Review:
    title: str
    stars: int
    tags: list[str]


class City(pydantic.BaseModel):
    name: str
    population: int = pydantic.Field(ge=0)
    sights: list[str]


@pytest.fixture
def session(local: LocalServer) -> Session:
    key = local.api_key
    return Session(Settings(base_url=local.base_url, store=None, get_api_key=lambda: key))


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
