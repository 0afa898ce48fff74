"""Typed answers of the real small model, asked for from the cells of a real kernel."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from live_kernel import LiveKernel

pytest.importorskip("pydantic")
pytestmark = pytest.mark.model

SETUP = """
from dataclasses import dataclass
from typing import Literal
import pydantic
from copilot_magic import ask

@dataclass
class Review:
    title: str
    stars: int
    tags: list[str]

class City(pydantic.BaseModel):
    name: str
    population: int = pydantic.Field(ge=0)
    sights: list[str] = pydantic.Field(max_length=3)
"""
SUBJECTS = (
    *("Paris", "Rome", "Berlin", "Madrid", "Oslo", "Lima", "Cairo", "Tokyo", "Delhi", "Bern"),
    *("dogs", "cats", "colours", "fruits", "cars", "rivers", "planets", "books", "games", "songs"),
)


@pytest.fixture(scope="module")
def serving(cache_home: object) -> Iterator[LiveKernel]:
    """Yield a kernel that has started the model, for all tests here."""
    kernel = LiveKernel(XDG_CACHE_HOME=str(cache_home))
    try:
        kernel.run("%load_ext copilot_magic")
        kernel.run("%config CopilotMagics.store = None")
        run = kernel.run("%copilot serve")
        assert run.reply["status"] == "ok", run.error
        run = kernel.run(SETUP)
        assert run.reply["status"] == "ok", run.error
        yield kernel
    finally:
        kernel.close()


@pytest.mark.parametrize(
    ("wanted", "question", "check"),
    [
        ("int", "How many letters are in the word {}?", "type(v) is int"),
        ("bool", "Is this a city: {}?", "type(v) is bool"),
        ("list[str]", "Which words come to mind with {}?", "all(type(w) is str for w in v)"),
        ("Literal['good', 'bad']", "Is {} good or bad?", "v in ('good', 'bad')"),
        ("Review", "Write a review of a film about {}.", "type(v) is Review"),
        (
            "City",
            "Describe {} as if it were a city.",
            "type(v) is City and v.population >= 0 and len(v.sights) < 4",
        ),
    ],
)
def test_a_typed_answer_is_valid_every_time_of_twenty(
    wanted: str, question: str, check: str, serving: LiveKernel
) -> None:
    """A small model may write a list without end; the second try asks for a shorter one."""
    # The last token ends what would be endless; it leaves room for what is asked.
    options = f'--new --as "{wanted}" -o v --max-tokens 256'
    for subject in SUBJECTS:
        run = serving.copilot(question.format(subject), options)
        assert run.reply["status"] == "ok", run.error
        assert serving.value(check) == "True", serving.value("v")


def test_the_magic_assigns_and_shows_the_value(serving: LiveKernel) -> None:
    run = serving.copilot("Is Paris a city?", "--as bool -o is_city")
    assert run.reply["status"] == "ok", run.error
    assert serving.value("is_city") in ("True", "False")
    assert serving.value("repr(is_city)").strip("'") in run.text
