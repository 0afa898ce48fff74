"""An answer is a string that knows where it came from."""

from __future__ import annotations

import pickle

from copilot_magic.chat.answer import Answer
from copilot_magic.chat.turn import Turn


def turn(prompt: str, answer: str = "", **more: object) -> Turn:
    return Turn(prompt, answer, **more)  # type: ignore[arg-type]


def test_an_answer_is_a_str_that_knows_its_turn() -> None:
    answered = turn("p", "text", model="m", provider="P", usage={"total_tokens": 3}, elapsed=2.0)
    answer = Answer.of(answered, "id")
    assert answer == "text"
    assert isinstance(answer, str)
    assert (answer.model, answer.provider, answer.elapsed) == ("m", "P", 2.0)
    assert answer.conversation_id == "id"
    assert type(answer.markdown) is str
    again = pickle.loads(pickle.dumps(answer))
    assert again == answer
    assert again.usage == {"total_tokens": 3}


def test_an_answers_code_is_its_blocks_with_their_language() -> None:
    blocks = Answer.of(turn("p", "Do\n\n```python\nx = 1\n```\n\nand\n\n```\ny\n```\n"), "id").code
    assert [(block.language, block.code) for block in blocks] == [
        ("python", "x = 1"),
        ("", "y"),
    ]


def test_an_answers_display_is_harmless() -> None:
    bundle = Answer.of(turn("p", "<img src=x onerror=alert(1)>"), "id")._repr_mimebundle_()
    assert "<img" not in bundle["text/html"]
    assert set(bundle) == {"text/html", "text/markdown", "text/plain"}


def test_a_block_of_code_can_be_run_as_it_is_and_travels_with_its_language() -> None:
    (block,) = Answer.of(turn("p", "```python\nx = 41 + 1\n```"), "id").code
    names: dict[str, int] = {}
    exec(block, names)
    assert names["x"] == 42
    again = pickle.loads(pickle.dumps(block))
    assert (again, again.language, again.code) == (block, "python", "x = 41 + 1")


def test_an_answer_has_ended_and_can_be_waited_for_all_the_same() -> None:
    """A variable may hold one that is still arriving, or the answer already."""
    answer = Answer.of(Turn("hi", answer="Hello", status="complete"), "c")
    assert answer.done
    assert answer.wait() is answer
    assert answer.wait(timeout=1) is answer
