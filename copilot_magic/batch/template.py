"""The question of a batch: the words that all prompts share, and what each row adds to them.

The shared words come first and are the same to the last character, so that a server can reuse what
it has computed for them. What differs follows as data: below them, in a fence, under its name.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..chat.prompt import Content, Part, Prompt, content_of
from ..context.gather import DATA, TOTAL, Attachment, Material, Notebook, gather
from ..context.interpolate import Reference, fill, find_references, is_plain, mentions
from ..errors import ExpressionError
from ..text import one_line, printable

if TYPE_CHECKING:
    from ..context.secrets.masker import Masker

__all__ = ["ITEM", "Template"]

ITEM = "item"
"""The name of the row in the expressions of a template."""

Evaluate = Callable[[str, object], object]
"""Returns the value of an expression for one row."""


class Template:
    """The words of a batch; ``{{item}}`` stands for the row, and without it the row follows them.

    A template that is nothing but ``{{item}}`` asks the rows themselves.

    Args:
        text: The words.
        notebook: Where the other expressions in it are evaluated, once.
        masker: Masks secrets; None sends everything as it is.
        instruction: What the answer should look like.
        evaluate: Evaluates an expression for one row; with None only names and keys of the row
            are looked up, and every other expression stays as it is: whoever wrote the template
            could run code otherwise.

    Attributes:
        system: The system message, masked.

    Raises:
        ExpressionError: An expression that does not depend on the row could not be evaluated.
        UsageError: A picture could not be made.
    """

    def __init__(
        self,
        text: str,
        notebook: Notebook,
        masker: Masker | None,
        *,
        instruction: str = "",
        system: str = "",
        evaluate: Evaluate | None = None,
    ) -> None:
        self._masker = masker
        self._read = notebook.read
        self._evaluate = evaluate
        self._instruction = instruction
        references = find_references(text, lambda name: name == ITEM or notebook.exists(name))
        of_row = [found for found in references if self._is_of_row(found)]
        self._expressions = list(dict.fromkeys(found.expression for found in of_row)) or [ITEM]
        self._is_row = len(of_row) == 1 and text.strip() == text[of_row[0].start : of_row[0].end]
        words = fill(
            text,
            [replace(found, meant=found in of_row) for found in references],
            lambda found: f"`{one_line(found.expression, 200)}`",
        )
        shared = gather(
            Prompt(words, system=system),
            notebook,
            masker,
            Material(instruction=instruction),
            expand=evaluate is not None,
        )
        self._notes = [note for note in shared.notes if not note.startswith("masked: ")]
        self.system = shared.system or ""
        self._parts: tuple[Part, ...] = shared.parts
        self._words = shared.expanded or shared.text
        if DATA not in self._words:
            self._words += f"\n\n{DATA}"

    @property
    def notes(self) -> list[str]:
        """Return what the reader should know about the words, and what was masked so far."""
        masked = [] if self._masker is None else self._masker.masked
        return [*self._notes, f"masked: {', '.join(masked)}"] if masked else self._notes

    def content(self, item: object) -> Content:
        """Return the content of the message that asks about one row.

        Raises:
            ExpressionError: An expression could not be evaluated for it.
            PictureError: A picture in it cannot be sent.
        """
        if self._is_row and (said := self._said_by(item)):
            return said
        blocks = [self._words]
        parts = list(self._parts)
        for expression in self._expressions:
            name = one_line(expression, 200)
            value = self._value(expression, item)
            if (part := self._picture(value)) is not None:
                parts.append(part)
                blocks.append(f"`{name}` is picture {len(parts)}.")
            else:
                text, language = self._described(value, expression)
                blocks.append(Attachment(f"`{name}`:", self._mask(text), language).block())
        return content_of("\n\n".join(blocks), parts)

    def _said_by(self, item: object) -> str:
        """Return the text of a row that is itself the prompt; none if it is a picture."""
        value = self._value(self._expressions[0], item)
        if self._picture(value) is not None:
            return ""
        asked = self._mask(self._described(value, self._expressions[0])[0])
        return f"{asked}\n\n{self._instruction}" if self._instruction else asked

    def _is_of_row(self, found: Reference) -> bool:
        if not found.meant or not mentions(found.expression, ITEM):
            return False
        return self._evaluate is not None or is_plain(found.expression)

    def _value(self, expression: str, item: object) -> object:
        if expression == ITEM:
            return item
        if self._evaluate is not None:
            return self._evaluate(expression, item)
        try:
            return _look_up(ast.parse(expression, mode="eval").body, item)
        except Exception as error:
            reason = one_line(f"{type(error).__name__}: {error}")
            message = f"{{{{{one_line(expression, 80)}}}}}: {reason}"
            raise ExpressionError(
                message, "Correct the expression", expression=expression
            ) from error

    def _described(self, value: object, expression: str) -> tuple[str, str]:
        """Return a value as the model reads it, and the language it is written in."""
        from ..context.describe.hiding import Hiding

        hiding = Hiding(self._masker, expression)
        if type(value) is str:
            value = hiding.value(value)
            if len(value) <= TOTAL:
                return printable(value), "text"
            # Masked before it is cut: half a secret is hard to recognise.
            value = self._mask(value)
        if type(value) in (int, float, bool):
            return str(value), "text"
        found = hiding.describe(value, TOTAL // len(self._expressions))
        return printable(found.text), found.language

    def _picture(self, value: object) -> Part | None:
        if type(value) in (str, int, float, bool, dict, list, tuple):
            return None
        from ..context.pictures.picture import picture_of

        picture = picture_of(value, read=self._read)
        return None if picture is None else picture.part

    def _mask(self, text: str) -> str:
        return text if self._masker is None else self._masker.mask(text)


def _look_up(node: ast.expr, item: Any) -> Any:
    """Return what an expression of names and constant keys stands for in `item`."""
    if isinstance(node, ast.Attribute) and not node.attr.startswith("_"):
        value = _look_up(node.value, item)
        return value[node.attr] if isinstance(value, Mapping) else getattr(value, node.attr)
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        return _look_up(node.value, item)[node.slice.value]
    if isinstance(node, ast.Name) and node.id == ITEM:
        return item
    raise ValueError("only names and keys of the item can be used here")
