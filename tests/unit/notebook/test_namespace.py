"""The variables that expressions can name, and what is said if one cannot be evaluated."""

from __future__ import annotations

import typing

import pytest
from IPython.core.interactiveshell import InteractiveShell

from copilot_magic.errors import ExpressionError, UsageError
from copilot_magic.notebook.namespace import Namespace


def test_a_variable_of_the_user_exists_and_one_of_ipython_does_not(shell: InteractiveShell) -> None:
    shell.run_cell("x = 1\nexit = 'mine'")
    namespace = Namespace.of_shell(shell)
    assert namespace.exists("x")
    assert namespace.exists("exit")
    assert not namespace.exists("quit")
    assert not namespace.exists("get_ipython")
    assert not namespace.exists("y")
    assert set(namespace.variables) >= {"x", "exit"}
    assert "quit" not in namespace.variables


def test_the_lists_of_inputs_and_outputs_exist_and_an_empty_last_result_does_not(
    shell: InteractiveShell,
) -> None:
    namespace = Namespace.of_shell(shell)
    assert not namespace.exists("_")  # in templates, a function that translates
    shell.run_cell("6 * 7", store_history=True)
    assert namespace.exists("In")
    assert namespace.evaluate("In[-1]") == "6 * 7"


@pytest.mark.parametrize("result", ["pandas.DataFrame({'a': [1, 2]})", "numpy.zeros(3)", "0"])
def test_a_last_result_exists_whatever_its_truth_value(
    shell: InteractiveShell, result: str
) -> None:
    shell.run_cell(f"import numpy, pandas\n{result}", store_history=True)
    assert shell.last_execution_result.success
    namespace = Namespace.of_shell(shell)
    assert "_" in namespace.variables
    assert namespace.evaluate("_") is shell.user_ns["_"]


def test_local_variables_come_first() -> None:
    namespace = Namespace({"x": 1, "y": 2}, {"x": 3})
    assert namespace.evaluate("x + y") == 5
    assert namespace.exists("y")


def test_an_expression_may_go_over_several_lines_and_use_pythons_functions() -> None:
    assert Namespace({"x": [1, 2]}).evaluate("len(x)\n + sum(i for i in x)") == 5


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("d['a']", "{{d['a']}}: KeyError: 'a'"),
        ("1 / 0", "{{1 / 0}}: ZeroDivisionError: division by zero"),
        ("missing + 1", "{{missing + 1}}: NameError: name 'missing' is not defined"),
        ("exit()", "{{exit()}}: SystemExit"),
        ("two_lines()", "{{two_lines()}}: ValueError: one two"),
        ("unprintable()", "{{unprintable()}}: Unprintable"),
    ],
)
def test_an_expression_that_raises_is_one_line_that_names_it(expression: str, message: str) -> None:
    class Unprintable(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    def raising(error: BaseException) -> typing.Any:
        def call() -> None:
            raise error

        return call

    names = {
        "d": {},
        "exit": raising(SystemExit()),
        "two_lines": raising(ValueError("one\ntwo")),
        "unprintable": raising(Unprintable()),
    }
    with pytest.raises(ExpressionError) as raised:
        Namespace(names).evaluate(expression)
    assert raised.value.message == message
    assert raised.value.expression == expression
    assert raised.value.__cause__ is not None


def test_the_hint_for_a_missing_name_says_to_define_it() -> None:
    with pytest.raises(ExpressionError) as raised:
        Namespace({}).evaluate("missing")
    assert "Define missing first" in raised.value.hint


def test_an_interrupt_while_evaluating_stays_one() -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Namespace({"f": interrupted}).evaluate("f()")


def test_a_type_may_name_what_the_user_has_not_imported() -> None:
    class Mine:
        pass

    namespace = Namespace({"Mine": Mine, "Any": Mine})
    known = {"Literal": typing.Literal, "Any": typing.Any}
    assert namespace.evaluate_type("Mine", known) is Mine
    assert namespace.evaluate_type("list[int]", known) == list[int]
    assert namespace.evaluate_type("Literal['a']", known) == typing.Literal["a"]
    assert namespace.evaluate_type("Any", known) is Mine  # the user's own


def test_what_is_no_type_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="'nonsense' is no type: NameError"):
        Namespace({}).evaluate_type("nonsense", {})
    with pytest.raises(UsageError, match="is no type: SyntaxError"):
        Namespace({}).evaluate_type("list[", {})
