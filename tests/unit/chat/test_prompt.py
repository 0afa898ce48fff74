"""Prompts: values that are the same from the magic to the wire."""

from __future__ import annotations

import pickle

from copilot_magic.chat.prompt import Options, Part, Prompt, text_of

PICTURE: Part = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}


def test_a_prompt_of_text_alone_is_sent_as_text() -> None:
    assert Prompt("hi").content == "hi"


def test_a_prompt_with_parts_is_a_list_whose_text_counts() -> None:
    content = Prompt("hi", (PICTURE,)).content
    assert content == [{"type": "text", "text": "hi"}, PICTURE]
    assert text_of(content) == "hi"


def test_prompts_are_values() -> None:
    prompt = Prompt("hi", (PICTURE,), Options(model="", max_tokens=5), system="S", cell_id="A")
    assert pickle.loads(pickle.dumps(prompt)) == prompt
    assert Prompt("hi") != Prompt("ho")


def test_an_empty_option_is_given_and_none_is_not() -> None:
    assert Options(model="", temperature=0.0).given() == {"model": "", "temperature": 0.0}
    assert Options.of({"model": "m", "unknown": 1}) == Options(model="m")
