"""Typed answers: from an annotation to a schema, words and a value, and nothing in between."""

from __future__ import annotations

import enum
import json
import re
import subprocess
import sys
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import Any, Literal, NamedTuple, Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copilot_magic.context.typed.answer_type import LONGEST_LIST, AnswerType
from copilot_magic.errors import TypedAnswerError, UsageError

jsonschema = pytest.importorskip("jsonschema")


class Colour(enum.Enum):
    RED = 1
    GREEN = 2


class Point(NamedTuple):
    x: int
    y: float


@dataclass
class Review:
    title: str
    price: float
    tags: list[str] = field(default_factory=list)


@dataclass
class Album:
    name: str
    best: Review | None
    colours: dict[str, Colour]


# --- Any plain type and any value of it -----------------------------------------------------

Typed = tuple[Any, st.SearchStrategy[Any]]
numbers = st.floats(allow_nan=False, allow_infinity=False)
reviews = st.builds(Review, st.text(), numbers, st.lists(st.text(), max_size=2))
albums = st.builds(
    Album,
    st.text(),
    st.none() | reviews,
    st.dictionaries(st.text(), st.sampled_from(Colour), max_size=2),
)
scalars: list[Typed] = [
    (int, st.integers()),
    (float, numbers),
    (str, st.text()),
    (bool, st.booleans()),
    (None, st.none()),
    (Literal["good", "bad", 1, None], st.sampled_from(["good", "bad", 1, None])),
    (Colour, st.sampled_from(Colour)),
    (date, st.dates()),
    (time, st.times()),
    (datetime, st.datetimes()),
    (Point, st.builds(Point, st.integers(), numbers)),
]
records: list[Typed] = [(Review, reviews), (Album, albums)]


def composed(inner: st.SearchStrategy[Typed]) -> st.SearchStrategy[Typed]:
    return st.one_of(
        inner.map(lambda t: (list[t[0]], st.lists(t[1], max_size=3))),
        inner.map(lambda t: (tuple[t[0], ...], st.lists(t[1], max_size=3).map(tuple))),
        inner.map(lambda t: (dict[str, t[0]], st.dictionaries(st.text(), t[1], max_size=3))),
        inner.map(lambda t: (Optional[t[0]], st.none() | t[1])),  # noqa: UP045  None | None is no type
        st.tuples(inner, inner).map(
            lambda p: (tuple[p[0][0], p[1][0]], st.tuples(p[0][1], p[1][1]))
        ),
        st.sampled_from(scalars[:9]).map(lambda t: (set[t[0]], st.sets(t[1], max_size=3))),
    )


types = st.recursive(st.sampled_from(scalars + records), composed, max_leaves=4)
typed_values = types.flatmap(lambda t: st.tuples(st.just(t[0]), t[1]))


def as_json(value: Any) -> Any:
    """Return what a model would write for `value`."""
    if isinstance(value, Review | Album):
        return {name: as_json(v) for name, v in vars(value).items()}
    if isinstance(value, Point):
        return as_json(value._asdict())
    if isinstance(value, enum.Enum):
        return value.name
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, dict):
        return {name: as_json(v) for name, v in value.items()}
    return [as_json(v) for v in value] if isinstance(value, list | tuple | set) else value


def wrapped(answer: AnswerType, value: Any) -> Any:
    return {"answer": value} if list(answer.schema.get("properties", ())) == ["answer"] else value


@given(typed_values)
def test_a_value_of_any_type_comes_back_from_its_json(typed: tuple[Any, Any]) -> None:
    annotation, value = typed
    answer = AnswerType.of(annotation)
    said = wrapped(answer, as_json(value))
    jsonschema.validate(said, answer.schema)
    text = json.dumps(said)
    assert answer.parse(text) == value
    assert type(answer.parse(text)) is type(value)
    assert answer.parse(f"Here you are:\n```json\n{json.dumps(said, indent=2)}\n```") == value


@given(types, typed_values)
def test_what_does_not_fit_the_schema_is_refused(typed: Typed, other: tuple[Any, Any]) -> None:
    """Dates are the exception: a schema's format is not checked."""
    answer, value = AnswerType.of(typed[0]), other[1]
    said = wrapped(answer, as_json(value))
    if fits(said, answer.schema):
        return
    try:
        read = answer.parse(json.dumps(said))
    except ValueError as error:
        assert "\n" not in str(error) and len(str(error)) < 500
    else:
        # It may lack what has a default, or be more than was asked for, or be a tuple as a list.
        assert fits(wrapped(answer, as_json(read)), answer.schema)


def fits(value: Any, schema: Any) -> bool:
    try:
        jsonschema.validate(value, schema)
    except jsonschema.ValidationError:
        return False
    return True


@given(types)
def test_each_schema_is_valid_and_says_truly_whether_it_is_strict(typed: Typed) -> None:
    answer = AnswerType.of(typed[0])
    jsonschema.Draft202012Validator.check_schema(answer.schema)
    assert answer.schema["type"] == "object", "servers enforce no others"
    open_ended = re.search(
        r'"(prefixItems|additionalProperties)": (?!false)', json.dumps(answer.schema)
    )
    assert answer.strict is (open_ended is None)
    assert len(answer.instruction.splitlines()) == 1


@given(types, st.text(alphabet='{}[]",:0123456789.aeflnrstu \n`', max_size=60))
def test_any_text_is_a_value_or_a_problem_in_one_line(typed: Typed, text: str) -> None:
    try:
        AnswerType.of(typed[0]).parse(text)
    except ValueError as error:
        assert "\n" not in str(error) and len(str(error)) < 500


# --- What is asked --------------------------------------------------------------------------


def test_a_type_is_asked_for_as_a_response_format() -> None:
    answer = AnswerType.of(list[str])
    assert answer.name == "list[str]"
    assert answer.response_format == {
        "type": "json_schema",
        "json_schema": {
            "name": "list_str",
            "strict": True,
            "schema": {
                "type": "object",
                "properties": {"answer": {"type": "array", "items": {"type": "string"}}},
                "required": ["answer"],
                "additionalProperties": False,
            },
        },
    }


def test_a_name_has_only_the_characters_that_openai_allows() -> None:
    for annotation in (Literal["ä", "ö"], dict[str, list[int]], Literal[tuple("abcdefghij" * 9)]):
        name = AnswerType.of(annotation).response_format["json_schema"]["name"]
        assert re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", name)


def test_the_words_need_no_server_that_enforces_them() -> None:
    assert AnswerType.of(Review).instruction == (
        "Answer with nothing but JSON of this form: "
        '{"title": string, "price": number, "tags": [string, ...]}'
    )
    pandas = pytest.importorskip("pandas")
    assert AnswerType.of(pandas.DataFrame).instruction.splitlines() == [
        "Answer with nothing but JSON of this form: "
        '{"columns": [string, ...], "rows": [[value, ...], ...]}',
        "A value is a number, a string, true, false or null; each row has one for each column.",
    ]


def test_a_type_that_contains_itself_is_told_as_its_schema() -> None:
    pydantic = pytest.importorskip("pydantic")
    Node = pydantic.create_model("Node", value=(int, ...), next=("Node | None", None))
    answer = AnswerType.of(Node)
    assert answer.strict
    assert answer.instruction.startswith(
        "Answer with nothing but JSON that fits this JSON schema: "
    )
    assert answer.parse('{"value": 1, "next": {"value": 2}}').next.value == 2


def test_the_constraints_of_pydantic_are_asked_for_inside_the_wrapper() -> None:
    pydantic = pytest.importorskip("pydantic")
    City = pydantic.create_model("City", name=(str, ...), people=(int, pydantic.Field(ge=0)))
    answer = AnswerType.of(list[City])
    assert answer.strict and list(answer.schema["$defs"]) == ["City"]
    assert answer.schema["properties"]["answer"]["items"] == {"$ref": "#/$defs/City"}
    assert '{"name": string, "people": integer (minimum 0)}' in answer.instruction
    assert answer.parse('[{"name": "Oslo", "people": 5}]') == [City(name="Oslo", people=5)]


@pytest.mark.parametrize(
    ("annotation", "said"),
    [
        (5, "An object of type int cannot be the type of an answer"),
        (print, "An object of type builtin_function_or_method cannot be"),
        ("Nowhere", "'Nowhere' is not a type: name 'Nowhere' is not defined"),
        (set[list[int]], "a list cannot be a member of a set"),
        (type("Own", (), {}), "An answer cannot be of type Own"),
    ],
)
def test_what_is_no_type_is_refused_in_one_line(annotation: Any, said: str) -> None:
    with pytest.raises(UsageError, match=re.escape(said)) as caught:
        AnswerType.of(annotation)
    assert "\n" not in str(caught.value)


def test_no_library_is_loaded_for_a_plain_type() -> None:
    code = (
        "import sys\n"
        "from copilot_magic.context.typed.answer_type import AnswerType\n"
        "assert AnswerType.of(list[int]).parse('[1]') == [1]\n"
        "print({'pydantic', 'pandas', 'polars', 'numpy'} & set(sys.modules))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


# --- What is answered -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("annotation", "text", "value"),
    [
        (int, '{"answer": 42}', 42),
        (int, "42", 42),
        (int, ' {"number": 42} ', 42),
        (int, '{"answer": 42, "why": "because"}', 42),
        (int, 'It is {"answer": 42}, I think.', 42),
        (str, '{"answer": "good"}', "good"),
        (str, '"good"', "good"),
        (str, "good", "good"),
        (str, "42", "42"),
        (str, "It is [1] good.", "It is [1] good."),
        (Literal["good", "bad"], "Good.", "good"),
        (Literal["good", "bad"], '{"sentiment": "good"}', "good"),
        (list[str], '["a", "b"]', ["a", "b"]),
        (list[str], '[1]: {"answer": ["a"]}', ["a"]),
        (bool, "True", True),
        (dict[str, int], '{"answer": 42}', {"answer": 42}),
        (dict[str, int], '{"answer": {"a": 1}}', {"a": 1}),
        (Review, '{"Review": {"title": "x", "price": 1}}', Review("x", 1.0)),
        (Review, '```\n{"title": "x", "price": 1, "tags": ["a"]}\n```', Review("x", 1.0, ["a"])),
        (Any, '{"answer": {"a": [1]}}', {"a": [1]}),
    ],
)
def test_an_answer_may_have_any_usual_form(annotation: Any, text: str, value: Any) -> None:
    assert AnswerType.of(annotation).parse(text) == value


@pytest.mark.parametrize(
    ("annotation", "text", "problem"),
    [
        (Review, '{"title": "x", "price": "cheap"}', "answer.price: must be a number, not 'cheap'"),
        (Review, '[1] {"title": "x"}', "answer.price: is missing"),
        (int, '{"answer": "42"}', "answer: must be a whole number, not '42'"),
        (int, '{"answer": true}', "answer: must be a whole number, not true"),
        (bool, '{"answer": 1}', "answer: must be true or false, not 1"),
        (int, "forty-two", "answer: must be a whole number, not 'forty-two'"),
        (int, "The answer to all of it is, as we all know, 42.", "there is no JSON in the answer"),
        (int, "", "answer: must be a whole number, not ''"),
        (int, "__import__('os').getcwd()", 'answer: must be a whole number, not "__import__'),
        (list[int], '{"answer": [1, 2', "the JSON breaks off before its end"),
        (
            Review,
            '{"title": "x", "title": "y"}',
            "the property 'title' appears twice in one object",
        ),
        (float, '{"answer": NaN}', "NaN is not JSON; write null where there is no number"),
        (str, '{"city": "Oslo"}', "answer: must be text, not an object"),
    ],
)
def test_an_answer_of_another_type_is_refused(annotation: Any, text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(problem)}"):
        AnswerType.of(annotation).parse(text)


@pytest.mark.parametrize("annotation", [int, str, list[Any], Review, Any, int | None])
@pytest.mark.parametrize("text", ["[" * 10**6, '{"a":' * 10**5, "9" * 10**6, "x" * 10**6])
def test_a_megabyte_of_nonsense_is_refused_in_one_line(annotation: Any, text: str) -> None:
    try:
        read = AnswerType.of(annotation).parse(text)
    except ValueError as error:
        assert len(str(error)) < 300
    else:
        assert annotation is str and read == text, "any text is a text"


# --- What comes after an answer that does not fit -------------------------------------------


def test_a_repair_tells_the_model_what_was_wrong_and_what_is_wanted() -> None:
    answer = AnswerType.of(int)
    text, schema = answer.repair("answer: must be a whole number, not 'many'")
    assert text == (
        "Your last answer does not fit: answer: must be a whole number, not 'many'. "
        'Answer with nothing but JSON of this form: {"answer": integer}'
    )
    assert schema == answer.response_format["json_schema"]


def test_the_repair_of_an_answer_that_broke_off_asks_for_short_lists() -> None:
    answer = AnswerType.of(Review)
    with pytest.raises(ValueError, match="breaks off") as caught:
        answer.parse('{"title": "x", "price": 1, "tags": ["a", "a", "a"')
    text, schema = answer.repair(str(caught.value))
    assert f"at most {LONGEST_LIST} values" in text
    assert schema["schema"]["properties"]["tags"]["maxItems"] == LONGEST_LIST
    assert "maxItems" not in json.dumps(answer.schema), "the type itself stays as it is"


def test_an_answer_that_was_not_repaired_is_an_error_with_its_facts() -> None:
    error = AnswerType.of(int).misfit("answer: must be a whole number, not 'many'")
    assert isinstance(error, TypedAnswerError)
    assert (error.wanted, error.problem) == ("int", "answer: must be a whole number, not 'many'")
    assert str(error) == (
        "The answer is not of type int: answer: must be a whole number, not 'many'. "
        "Ask again, or ask a larger model"
    )
