"""Conversations as Markdown, as notebooks and as JSON."""

from __future__ import annotations

import ast
import json
from typing import Any

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st
from IPython.core.inputtransformer2 import TransformerManager
from markdown_it import MarkdownIt
from traitlets.config import Config

from copilot_magic.chat.conversation import Conversation
from copilot_magic.chat.prompt import Options
from copilot_magic.chat.turn import TURN_FIELDS, Turn
from copilot_magic.errors import UsageError
from copilot_magic.notebook.arguments import PromptLine
from copilot_magic.transcript import from_json, to_json, to_markdown, to_notebook

# Lines that mean something to IPython, to Markdown or to the magic's own parser.
AWKWARD = st.lists(
    st.sampled_from(
        [
            "Hello",
            "",
            "  ",
            "\t",
            "--new -c other",
            "%%copilot --dry-run",
            "%load_ext x",
            "!ls",
            "?",
            "x?",
            ">>> 1 + 1",
            "  >>> 1 + 1",
            "... 2",
            "In [1]: x",
            "In[1]: x",
            "   ...: x",
            "[ins] In [1]: x",
            '"""',
            "'''",
            "\\",
            "{x} $y {{z}}",
            "```",
            "# Title",
            "---",
            "\r",
            "a\u2028b",
            "\x0c",
        ]
    ),
    min_size=1,
    max_size=4,
).map("\n".join)

CONVERSATIONS = st.builds(
    Conversation,
    name=st.text(min_size=1).filter(str.strip),
    system=st.text(),
    turns=st.lists(
        st.builds(
            Turn,
            prompt=st.text() | AWKWARD,
            answer=st.text() | AWKWARD,
            reasoning=st.text(),
            status=st.sampled_from(["complete", "interrupted", "failed"]),
            error=st.text(),
            finish_reason=st.none() | st.text(),
            usage=st.none() | st.dictionaries(st.text(), st.integers()),
            model=st.text(),
            provider=st.text(),
            cell_id=st.none() | st.text(),
            started=st.floats(0, 1e10),
            first_token=st.none() | st.floats(0, 1e6),
            elapsed=st.floats(0, 1e6),
            stale=st.booleans(),
            notes=st.lists(st.text()),
            options=st.builds(
                Options,
                model=st.none() | st.text(),
                provider=st.none()
                | st.sampled_from(["Copilot", "a b", "{1/0}", "$HOME", "-m", ""]),
                temperature=st.none() | st.floats(0, 2),
                max_tokens=st.none() | st.integers(1, 10**6),
            ),
        ),
        max_size=3,
    ),
)


def fields(conversation: Conversation) -> dict[str, Any]:
    kept = {name: value for name, value in vars(conversation).items() if name != "_lock"}
    return kept | {"turns": [vars(turn) for turn in conversation.turns]}


def tokens(markdown: str, kind: str) -> list[str]:
    """Return the contents of the outermost tokens of one kind."""
    found = MarkdownIt("commonmark").parse(markdown)
    return [token.content for token in found if token.type == kind and token.level == 0]


# JSON


@given(CONVERSATIONS)
def test_what_is_exported_as_json_is_imported_the_same(conversation: Conversation) -> None:
    assert fields(from_json(to_json(conversation))) == fields(conversation)


def test_every_field_of_a_turn_that_is_kept_is_imported() -> None:
    turn = Turn(
        "Why?",
        answer="Because.",
        reasoning="Hm.",
        status="failed",
        error="cut",
        finish_reason="length",
        usage={"total_tokens": 3},
        model="m",
        provider="p",
        server="http://localhost/v1",
        asked_provider="q",
        cell_id="c",
        started=1.0,
        first_token=2.0,
        elapsed=3.0,
        stale=True,
        notes=["n"],
        replayed=True,
        options=Options(model="m"),
        expanded="Why?\n\nData: 3",
        parts=({"type": "image_url"},),
        schema={"type": "object"},
        objects=({"name": "n", "kind": "int"},),
    )
    untouched = Turn("")
    assert all(getattr(turn, name) != getattr(untouched, name) for name in TURN_FIELDS)
    assert vars(from_json(to_json(Conversation(turns=[turn]))).turns[0]) == vars(turn)


def test_json_holds_no_objects_of_the_server_and_no_credentials() -> None:
    turn = Turn("Hi", continuation={"cookie": "secret"}, thread="secret")
    turn.server = "https://me:secret@[::1]:8000/v1?key=secret#secret"
    text = to_json(Conversation("Talk", turns=[turn]))
    assert "secret" not in text
    assert from_json(text).turns[0].server == "https://[::1]:8000/v1"


def test_text_with_half_characters_is_exported_as_utf_8() -> None:
    conversation = Conversation("Talk", turns=[Turn("\ud83d\ude00", answer="\ud83d")])
    for text in (to_json(conversation), to_markdown(conversation)):
        assert "😀" in text
        text.encode()
    json.dumps(to_notebook(conversation), ensure_ascii=False).encode()


def test_a_turn_that_was_still_written_when_exported_is_interrupted() -> None:
    turn = from_json(to_json(Conversation(turns=[Turn("Hi", answer="Hel")]))).turns[0]
    assert (turn.answer, turn.status) == ("Hel", "interrupted")


def test_a_field_that_an_older_export_lacks_has_its_default() -> None:
    document = json.loads(to_json(Conversation(turns=[Turn("Hi", notes=["old"])])))
    del document["turns"][0]["notes"]
    document["turns"][0]["colour"] = "red"
    assert from_json(json.dumps(document)).turns[0].notes == []


@pytest.mark.parametrize(
    "text",
    ["", "{", "null", "[]", "{}", "3", '{"format": "x"}', "[" * 100_000, "9" * 5000, "\ud800"],
)
def test_what_is_no_export_is_refused_with_a_line(text: str) -> None:
    with pytest.raises(UsageError, match="not an exported conversation") as raised:
        from_json(text)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("conversation_id", "../../etc/passwd"),
        ("conversation_id", "{12345678-1234-1234-1234-123456789abc}"),
        ("conversation_id", None),
        ("name", ""),
        ("name", 3),
        ("system", ["x"]),
        ("turns", {}),
        ("turns", [3]),
        ("turn.id", "1"),
        ("turn.prompt", None),
        ("turn.answer", 3),
        ("turn.status", "running"),
        ("turn.started", True),
        ("turn.started", 10**400),
        ("turn.elapsed", float("nan")),
        ("turn.first_token", "soon"),
        ("turn.stale", 1),
        ("turn.notes", [1]),
        ("turn.usage", []),
        ("turn.usage", json.loads('{"a": ' * 100 + "1" + "}" * 100)),
        ("turn.options", None),
        ("turn.options", {"model": 3}),
        ("turn.options", {"max_tokens": "many"}),
        ("turn.parts", ["x"]),
    ],
)
def test_an_export_that_was_changed_into_something_else_is_refused(place: str, value: Any) -> None:
    document = json.loads(to_json(Conversation("Talk", turns=[Turn("Hi")])))
    *in_turn, name = place.split(".")
    (document["turns"][0] if in_turn else document)[name] = value
    with pytest.raises(UsageError, match="not an exported conversation"):
        from_json(json.dumps(document))


def test_two_turns_with_one_id_are_refused() -> None:
    turn = Turn("Hi")
    with pytest.raises(UsageError, match="same id"):
        from_json(to_json(Conversation(turns=[turn, turn])))


def test_an_export_of_a_later_version_asks_for_an_update() -> None:
    document = json.loads(to_json(Conversation())) | {"version": 2}
    with pytest.raises(UsageError, match="pip install -U"):
        from_json(json.dumps(document))


# Notebook


def asked_by(source: str) -> tuple[str, dict[str, Any]]:
    """Return the prompt and the options that IPython gives to the magic, or `ask`, for a cell."""
    *before, call = ast.parse(TransformerManager().transform_cell(source)).body
    assert isinstance(call, ast.Expr)
    assert isinstance(call.value, ast.Call)
    if isinstance(call.value.func, ast.Name):
        assert call.value.func.id == "ask"
        # Not written in the call, so braces in it are not expressions.
        assert [ast.unparse(argument) for argument in call.value.args] == ["prompt"]
        assert isinstance(before[-1], ast.Assign)
        keywords = {str(k.arg): ast.literal_eval(k.value) for k in call.value.keywords}
        return ast.literal_eval(before[-1].value), keywords
    arguments = [ast.literal_eval(argument) for argument in call.value.args]
    magic, line, cell = arguments
    assert magic == "copilot"
    assert not set("{}$") & set(line)  # IPython would expand them
    # What the magic does with its cell.
    return cell.strip("\n"), PromptLine.parse(line).options.given()


@given(CONVERSATIONS)
def test_an_exported_notebook_is_valid_and_asks_the_same(conversation: Conversation) -> None:
    notebook = to_notebook(conversation)
    nbformat.validate(notebook)
    cells = notebook["cells"][-len(conversation.turns) :] if conversation.turns else []
    for turn, cell in zip(conversation.turns, cells, strict=True):
        assert asked_by(cell["source"]) == (turn.prompt, turn.options.given())
        shown = [output["data"] for output in cell["outputs"] if "data" in output]
        assert [data["text/markdown"] for data in shown] == [turn.answer] * bool(turn.answer)


def test_an_ordinary_prompt_is_a_cell_with_the_magic() -> None:
    turn = Turn("--new is an option\n\n%matplotlib inline\nx?", answer="Yes.", status="complete")
    turn.options = Options(model="openai/gpt-4o:free", max_tokens=10)
    cells = to_notebook(Conversation("Talk", turns=[turn]))["cells"]
    assert cells[1]["source"] == "%load_ext copilot_magic"
    assert cells[2]["source"].splitlines() == [
        "%%copilot --model openai/gpt-4o:free --max-tokens 10",
        *turn.prompt.splitlines(),
    ]


def test_a_prompt_that_ipython_would_rewrite_is_asked_by_the_function() -> None:
    turn = Turn("Explain\n>>> f(1)\n", options=Options(model="a b"))
    assert to_notebook(Conversation("Talk", turns=[turn]))["cells"][-1]["source"] == (
        "from copilot_magic import ask\n"
        "\n"
        "prompt = (\n"
        "    'Explain\\n'\n"
        "    '>>> f(1)\\n'\n"
        ")\n"
        "ask(prompt, model='a b')"
    )


def test_a_prompt_with_data_is_asked_in_the_words_that_were_sent() -> None:
    """The variables may be others by now, or not be there at all."""
    turn = Turn("Explain {{df}}", expanded="Explain `df`\n\nData: {{x}}")
    (cell,) = [c for c in to_notebook(Conversation(turns=[turn]))["cells"] if "ask" in c["source"]]
    assert asked_by(cell["source"]) == (turn.expanded, {})
    turn.parts = ({"type": "image_url"},)
    cell = to_notebook(Conversation(turns=[turn]))["cells"][-1]
    assert cell["source"].endswith("ask(prompt)  # without 1 picture")


def test_a_typed_answer_is_shown_as_json() -> None:
    turn = Turn("How many?", answer='{"answer": 3}', schema={"type": "object"}, status="complete")
    assert '```json\n{"answer": 3}\n```' in to_markdown(Conversation(turns=[turn]))


def test_markdown_names_what_went_with_a_prompt_and_has_room_for_remarks() -> None:
    turn = Turn("Explain {{df}}", objects=({"name": "df", "kind": "DataFrame, 3 rows"},))
    text = to_markdown(Conversation(turns=[turn]), lambda turn: ["`df` changed since: 3 → 4 rows"])
    assert "\n\n*with df (DataFrame, 3 rows)*\n\n*`df` changed since: 3 → 4 rows*\n\n" in text


@given(st.text(min_size=1) | AWKWARD.filter(bool))
def test_the_system_message_is_set_in_one_line_that_ipython_leaves_alone(system: str) -> None:
    source = to_notebook(Conversation(system=system))["cells"][2]["source"]
    call = ast.parse(TransformerManager().transform_cell(source)).body[0]
    assert isinstance(call, ast.Expr)
    assert isinstance(call.value, ast.Call)
    magic, line = (ast.literal_eval(argument) for argument in call.value.args)
    assert magic == "config"
    assert not set("{}$") & set(line)
    config = Config()
    exec(f"config.{line}", {"config": config})  # as %config does
    assert config.CopilotMagics.system == system


def test_an_answer_that_did_not_end_well_says_so_in_notebook_and_markdown() -> None:
    turns = [
        Turn("a", answer="Half", status="interrupted"),
        Turn("b", status="failed", error="nothing listens there"),
        Turn("c", answer="Whole", status="complete"),
    ]
    conversation = Conversation(turns=turns)
    cells = to_notebook(conversation)["cells"][-3:]
    said = [[o["text"] for o in cell["outputs"] if "text" in o] for cell in cells]
    assert said == [["interrupted\n"], ["failed: nothing listens there\n"], []]
    text = to_markdown(conversation)
    assert text.count("*interrupted*") == 1
    assert "*failed: nothing listens there*" in text


# Markdown


@given(
    st.lists(
        st.tuples(
            st.text() | AWKWARD,
            st.sampled_from(
                ["", "```python\nx = 1", "~~~~", "<!--", "<pre>", "- ```", "> ```", "<?"]
            ),
        ).map("\n\n".join)
    )
)
def test_no_answer_swallows_what_follows_it_in_markdown(answers: list[str]) -> None:
    """An answer that was cut off may end in an open code block or an open HTML comment."""
    turns = [Turn(f"Prompt {number}", answer=answer) for number, answer in enumerate(answers)]
    fences = tokens(to_markdown(Conversation("Talk", turns=turns)), "fence")
    assert [fence for fence in fences if fence.startswith("Prompt")] == [
        f"{turn.prompt}\n" for turn in turns
    ]


def test_prompts_are_quoted_as_they_are_in_markdown() -> None:
    prompt = "# not a title\n```python\nx = 1\n```\n<script>"
    text = to_markdown(Conversation("A *talk*", system="Be brief.", turns=[Turn(prompt)]))
    assert tokens(text, "fence") == ["Be brief.\n", prompt + "\n"]
    assert text.startswith("# A \\*talk\\*\n")


def test_turns_are_numbered_roles_told_apart_and_warnings_stand_before_the_answer() -> None:
    turns = [
        Turn("Why?", answer="Because.", status="complete", model="m", provider="P", stale=True),
        Turn("And?", answer="So.", status="complete"),
    ]
    text = to_markdown(Conversation("Talk", turns=turns))
    order = ["**1 · You**", "Why?", "**Assistant** (m, P)", "outdated", "Because.", "**2 · You**"]
    assert [text.index(part) for part in order] == sorted(text.index(part) for part in order)
