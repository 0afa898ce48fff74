"""Tab completion, asked as IPython asks it."""

from __future__ import annotations

from pathlib import Path

import pytest
from IPython.core import completer
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell

from copilot_magic.notebook.commands import COMMANDS

# Older ones mix in their own offers, and split a name at its spaces.
OURS_ALONE = pytest.mark.skipif(
    not hasattr(completer, "context_matcher"), reason="needs IPython 8.6 or newer"
)


def offered(shell: InteractiveShell, line: str) -> list[str]:
    """Return what a front end shows when Tab is pressed at the end of `line`, in its order."""
    with provisionalcompleter():
        return [completion.text for completion in shell.Completer.completions(line, len(line))]


@pytest.mark.usefixtures("magics")
def test_commands_and_options_are_offered(shell: InteractiveShell) -> None:
    assert {"serve", "status", "continue"} <= set(offered(shell, "%copilot "))
    options = offered(shell, "%%copilot --new ")
    assert {"--temperature", "-b", "--background"} <= set(options)
    assert "--new" not in options


@OURS_ALONE
@pytest.mark.usefixtures("magics")
def test_conversations_are_offered_with_quotes_if_they_need_them(shell: InteractiveShell) -> None:
    shell.run_line_magic("copilot", 'new "my talk"')
    assert offered(shell, "%copilot use ") == ['"my talk"']
    assert offered(shell, "%copilot cancel ") == ['"my talk"']
    assert offered(shell, "%copilot panel ") == ['"my talk"']
    assert offered(shell, "%%copilot -c ") == ['"my talk"']


@pytest.mark.usefixtures("magics")
def test_models_are_the_servers(shell: InteractiveShell) -> None:
    # A slow server's names are there at a later Tab.
    for _ in range(100):
        if "scripted-model" in offered(shell, "%%copilot -m "):
            return
    raise AssertionError("the model is never offered")


@pytest.mark.usefixtures("magics")
def test_a_server_that_is_not_there_offers_nothing(shell: InteractiveShell) -> None:
    shell.run_line_magic("config", "CopilotMagics.base_url = 'http://127.0.0.1:9/v1'")
    assert "--new" not in offered(shell, "%%copilot -p ")


@OURS_ALONE
@pytest.mark.usefixtures("magics")
def test_only_what_fits_is_offered(shell: InteractiveShell) -> None:
    assert offered(shell, "%copilot s") == ["status", "serve", "stop", "show"]
    assert offered(shell, "%%copilot --te") == ["--temperature"]
    assert offered(shell, "%copilot ") == list(COMMANDS)
    options = offered(shell, "%%copilot --")
    assert "--dry-run" in options
    assert all(option.startswith("--") for option in options)
    assert len(options) < 30
    assert "--new" not in offered(shell, "%%copilot -t ")


@OURS_ALONE
@pytest.mark.usefixtures("magics")
def test_the_options_of_commands_are_offered(shell: InteractiveShell) -> None:
    assert offered(shell, "%copilot fix ") == ["--try"]
    assert offered(shell, "%copilot fix --") == ["--try"]
    assert "--try" not in offered(shell, "%copilot fix --try ")
    assert offered(shell, "%copilot serve --") == ["--port"]
    assert offered(shell, "%copilot export talk.md --") == ["--force"]


@pytest.mark.usefixtures("magics")
def test_files_are_offered_to_commands_that_take_one(
    shell: InteractiveShell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "talk.json").touch()
    monkeypatch.chdir(tmp_path)
    assert "talk.json" in offered(shell, "%copilot import ta")
    assert "talk.json" in offered(shell, "%copilot export ")


@pytest.mark.usefixtures("magics")
def test_other_lines_are_completed_as_ever(shell: InteractiveShell) -> None:
    shell.user_ns["a_long_name"] = 1
    assert "a_long_name" in offered(shell, "a_long_n")
    assert "--new" not in offered(shell, "%timeit --")


@OURS_ALONE
@pytest.mark.usefixtures("magics")
def test_a_name_in_open_quotation_marks_is_completed(shell: InteractiveShell) -> None:
    shell.run_line_magic("copilot", 'new "my talk"')
    assert offered(shell, '%copilot use "my t') == ['"my talk"']


@pytest.fixture
def names(shell: InteractiveShell) -> None:
    """Put the user's variables into the shell."""
    shell.user_ns["orders"] = {"price": 1, "unit price": 2, "it's": 3}
    shell.user_ns["orbit"] = 7


@pytest.mark.usefixtures("magics", "names")
def test_names_are_offered_in_a_field_of_a_prompt(shell: InteractiveShell) -> None:
    assert {"orders", "orbit"} <= set(offered(shell, "%%copilot\nWhat is {{or"))
    assert "orbit" in offered(shell, "%%copilot -m x\nWhat is {{orders}} and {{len(orb")
    assert "price" in offered(shell, "%%copilot\nWhat is {{orders['pri")
    assert any("bit_length" in name for name in offered(shell, "%%copilot\n{{orbit.bit_l"))


@OURS_ALONE
@pytest.mark.usefixtures("magics", "names")
def test_in_a_field_nothing_else_is_offered(shell: InteractiveShell) -> None:
    assert offered(shell, "%%copilot\nWhat is {{or") == ["orbit", "orders", "ord"]
    assert offered(shell, "%%copilot\nWhat is {{\n  orb") == ["orbit"]
    assert offered(shell, '%%copilot\n{{orders["unit pr') == ["unit price"]
    assert offered(shell, "%%copilot\n{{orders['i") == ["it\\'s"]
    assert offered(shell, "%%copilot What is {{orb") == ["orbit"]
    with provisionalcompleter():
        cell = "%%copilot\nWhat is {{orb, after all}}"
        (only,) = shell.Completer.completions(cell, cell.index(","))
    assert (only.text, cell[only.start : only.end]) == ("orbit", "orb")


@OURS_ALONE
@pytest.mark.usefixtures("magics", "names")
@pytest.mark.parametrize(
    "cell",
    [
        "%%copilot\nWhat is {or",
        "%%copilot\nWhat is {{{or",
        "%%copilot\nWhat is {{orders}} or",
        "%%copilot\nWhat is {{nothing_of_that_na",
        "%%timeit\n{{or",
        "x = {{or",
    ],
)
def test_elsewhere_ipython_offers_what_it_does_without_us(
    shell: InteractiveShell, cell: str
) -> None:
    ours = offered(shell, cell)
    shell.run_line_magic("unload_ext", "copilot_magic")
    assert ours == offered(shell, cell)
    shell.run_line_magic("load_ext", "copilot_magic")


@pytest.mark.usefixtures("magics", "names")
def test_variables_are_offered_for_out_and_image(shell: InteractiveShell) -> None:
    class Figure:
        pass

    shell.user_ns["xfigure"] = Figure()
    shell.user_ns["orfun"] = print
    assert "orbit" in offered(shell, "%%copilot -o or")
    assert "orbit" in offered(shell, "%%copilot --out or")
    offers = offered(shell, "%%copilot --image ")
    assert offers.index("xfigure") < offers.index("orbit")
    assert "--image" in offered(shell, "%%copilot --image xfigure --im")


@OURS_ALONE
@pytest.mark.usefixtures("magics", "names")
def test_types_are_offered_for_as(shell: InteractiveShell) -> None:
    import dataclasses

    shell.user_ns["Point"] = dataclasses.make_dataclass("Point", ["x"])
    offers = offered(shell, "%%copilot --as ")
    assert {"int", "list[str]", "dict[str,int]", "DataFrame", "Point"} <= set(offers)
    assert "orbit" not in offers
    assert offered(shell, "%%copilot --as li") == ["list[str]", "list[int]"]
    assert offered(shell, "%%copilot --as Lit") == ["\"Literal['a', 'b']\""]
    assert offered(shell, "%%copilot --as \"Literal['a', ") == ["\"Literal['a', 'b']\""]
    assert offered(shell, '%%copilot --as "list[s') == ['"list[str]"']
    assert "--dry-run" in offered(shell, "%%copilot --as \"Literal['a', 'b']\" --dr")
    assert "--dry-run" in offered(shell, "%%copilot --as Literal['a','b'] --dr")
    assert offered(shell, "%%copilot --context ") == ["1", "2", "3", "5"]


@pytest.mark.usefixtures("magics")
def test_the_completion_is_taken_back(shell: InteractiveShell) -> None:
    hooks = shell.strdispatchers["complete_command"]
    matchers = getattr(shell.Completer, "custom_matchers", [])
    assert matchers or any("copilot" in pattern.pattern for pattern in hooks.regexs)
    shell.run_line_magic("unload_ext", "copilot_magic")
    assert not matchers
    assert not any("copilot" in pattern.pattern for pattern in hooks.regexs)
    shell.run_line_magic("load_ext", "copilot_magic")
