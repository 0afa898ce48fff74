"""What is sent along of cells, failures and variables, in a real shell."""

from __future__ import annotations

from IPython.core.interactiveshell import InteractiveShell

from copilot_magic.context.secrets.masker import Masker
from copilot_magic.notebook.attaching import (
    NAMES,
    SOURCE,
    VARIABLES,
    cells_attached,
    error_of_user,
    failure_attached,
    variables_attached,
)
from copilot_magic.notebook.failures import Failure
from copilot_magic.notebook.magics import CopilotMagics
from copilot_magic.notebook.namespace import failed_expression


def failed(source: str, error: BaseException | None = None) -> Failure:
    return Failure(error or ValueError("no"), source, 3)


def test_cells_come_with_their_output_in_order(
    magics: CopilotMagics, shell: InteractiveShell
) -> None:
    shell.run_cell("a = 1", store_history=True)
    shell.run_cell("print('said')", store_history=True)
    texts = [(each.language, each.text) for each in cells_attached(magics.notebook, 2)]
    assert texts == [("python", "a = 1"), ("python", "print('said')"), ("text", "said")]
    assert cells_attached(magics.notebook, 0) == []


def test_a_long_cell_is_cut_and_that_is_said(
    magics: CopilotMagics, shell: InteractiveShell
) -> None:
    shell.run_cell("#" + "x" * 10_000 + "\npass", store_history=True)
    (cell,) = cells_attached(magics.notebook, 1)
    assert len(cell.text) < SOURCE + 100
    assert "characters left out" in cell.text
    assert "characters left out" in cell.left_out


def test_a_failure_is_its_cell_and_its_traceback() -> None:
    source, raised = failure_attached(failed("x = 1\nf(x)"))
    assert (source.title, source.text) == ("The source of cell 3:", "x = 1\nf(x)")
    assert raised.title == "What cell 3 raised:"
    assert "ValueError: no" in raised.text


def test_a_failure_of_unknown_source_is_its_traceback() -> None:
    (raised,) = failure_attached(Failure(ValueError("no"), "", None))
    assert raised.title == "What the cell that failed raised:"


def test_the_error_of_an_expression_is_what_the_users_code_raised() -> None:
    cause = KeyError("x")
    error = failed_expression("d['x']", cause)
    error.__cause__ = cause
    assert error_of_user(failed("%%copilot\n{{d['x']}}", error)) is cause
    assert error_of_user(failed("x", cause)) is cause


def test_the_data_that_a_cell_uses_is_described_and_its_code_is_not() -> None:
    variables = {"df": [1, 2], "np": __import__("json"), "f": len, "C": dict, "other": 3}
    attached = variables_attached(failed("f(df, np, C, missing)"), variables)
    assert [each.name for each in attached] == ["df"]
    assert attached[0].title.startswith("My variable `df` (list, 2")


def test_the_secrets_in_data_that_a_cell_uses_are_masked_before_they_are_cut() -> None:
    secret = f"s3cr3t{'-Ab1' * 800}"
    variables = {"rows": [{"password": secret}], "password": secret}
    masker = Masker()
    attached = variables_attached(failed("f(rows, password)"), variables, masker)
    assert [each.text.count("[masked: password]") for each in attached] == [1, 1]
    assert "Ab1" not in "".join(each.text for each in attached)
    assert masker.masked == ["password"]


def test_only_some_variables_are_described() -> None:
    variables = {f"v{n}": [n] for n in range(20)}
    attached = variables_attached(failed(f"f({', '.join(variables)})"), variables)
    assert len(attached) == VARIABLES


def test_if_a_name_is_missing_the_names_that_exist_are_told() -> None:
    variables = {"price": 3, "_hidden": 1, "In": ["x"], **{f"v{n}": n for n in range(NAMES - 1)}}
    attached = variables_attached(failed("pirce", NameError("pirce")), variables)
    assert attached[0].title == "My variables:"
    assert "price (int)" in attached[0].text
    assert "_hidden" not in attached[0].text
    assert variables_attached(failed("pirce", NameError("pirce")), {}) == []
