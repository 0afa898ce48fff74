"""Which double braces in a prompt are expressions, and that everything else stays as it is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copilot_magic.context.interpolate import (
    Reference,
    fill,
    find_references,
    is_plain,
    one_expression,
)

NAMES = {"df", "x", "items", "name"}


def exists(name: str) -> bool:
    return name in NAMES


def filled(text: str) -> str:
    """Return the text with each expression that is meant in angle brackets."""
    return fill(text, find_references(text, exists), lambda found: f"<{found.expression}>")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("What is {{df}}?", "What is <df>?"),
        ("{{ df.head(3) }} and {{x}}", "<df.head(3)> and <x>"),
        ('{{df["a"]}}', '<df["a"]>'),
        ("{{len(df)}}", "<len(df)>"),
        ("{{sorted(items)[0]}}", "<sorted(items)[0]>"),
        ("{{[i for i in items]}}", "<[i for i in items]>"),
        ('{{ {"a": {1}}[x] }}', '<{"a": {1}}[x]>'),
        ("{{ {x: 1}}}", "<{x: 1}>"),
        ("{{x}}{{x}}", "<x><x>"),
        ("{{(x\n + 1)}}", "<(x\n + 1)>"),
        ("{{x\n + 1}}", "<x\n + 1>"),
        ("{{df}}}", "<df>}"),
    ],
)
def test_an_expression_whose_first_name_exists_is_replaced(text: str, expected: str) -> None:
    assert filled(text) == expected


LITERAL = [
    "{x}",
    "{}",
    "{{}}",
    "{{ }}",
    "{{",
    "}}",
    "{{x",
    "x}}",
    "{{{x}}}",
    "{{{{x}}}}",
    "{{ user.name }}",  # Jinja
    "{% for i in items %}{{ i }}{% endfor %}",
    "{{ id }} {{ input.value }} {{ type }}",  # Python's functions, but words of templates
    "{{1 + 1}}",
    "{{'text'}}",
    r"\frac{{a}}{{b}} $x_{{i}}$",
    'f"{{value}} {value!r:>{width}}"',
    'println!("{{}} {}", x);',
    "impl Foo {{ fn bar() {{ }} }}",
    '{"a": {"b": {"c": 1}}}',
    "${{ github.ref }} %s %% $x ?x !ls `x`",
    "{{x y}}",
    "{{x = 1}}",
    "{{lambda: 0}}",
    "{{ yield x }}",
]


@pytest.mark.parametrize("text", LITERAL)
def test_other_braces_stay_byte_for_byte(text: str) -> None:
    assert filled(text) == text


@given(st.text(alphabet="{}x%$?!\\'\" \n.()[]ab", max_size=60))
def test_without_variables_every_text_stays_as_it_is(text: str) -> None:
    # Python's own functions count if they are called, but none is spelled with these letters.
    assert fill(text, find_references(text, lambda name: False), lambda found: "never") == text


@given(st.text(alphabet="{}x \n.()", max_size=60))
def test_the_text_between_expressions_is_never_touched(text: str) -> None:
    references = find_references(text, exists)
    rest = [text[a:b] for a, b in _gaps(references, len(text))]
    assert fill(text, references, lambda found: "\0").split("\0") == rest


def _gaps(references: list[Reference], length: int) -> list[tuple[int, int]]:
    meant = [reference for reference in references if reference.meant]
    starts = [0, *(reference.end for reference in meant)]
    return list(zip(starts, [*(reference.start for reference in meant), length], strict=True))


def test_a_value_with_braces_is_not_expanded_again() -> None:
    text = "{{x}} {{name}}"
    assert fill(text, find_references(text, exists), lambda found: "{{df}}") == "{{df}} {{df}}"


def test_what_is_left_as_it_is_is_told() -> None:
    found = find_references("{{user.name}} {{df}} {{ }}", exists)
    assert [(each.expression, each.name, each.meant) for each in found] == [
        ("user.name", "user", False),
        ("df", "df", True),
        ("", "", False),
    ]


def test_thousands_of_braces_are_looked_at_only_up_to_a_point() -> None:
    text = "{{ a b " * 20_000 + "}}" * 20_000
    assert filled(text) == text


@pytest.mark.parametrize("expression", ["x", "x.y", "x['a']", "x.y[0].z"])
def test_names_attributes_and_constant_keys_call_nothing(expression: str) -> None:
    assert is_plain(expression)


@pytest.mark.parametrize("expression", ["x()", "x[i]", "x[f()]", "x + 1", "[x]", "x.y().z", "x y"])
def test_everything_else_may_call_something(expression: str) -> None:
    assert not is_plain(expression)


def test_an_expression_over_several_lines_is_one_for_python() -> None:
    assert eval(one_expression("1\n + 2")) == 3
