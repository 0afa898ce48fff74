"""A prompt made from a cell: expressions evaluated, cells and errors added, secrets masked."""

from __future__ import annotations

import typing
from collections.abc import Mapping
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..chat.prompt import Part, Prompt
from ..context.gather import Attachment, Material, gather
from ..errors import UsageError
from .arguments import PromptLine
from .namespace import Namespace
from .shell import Notebook

if TYPE_CHECKING:
    from ..context.secrets.masker import Masker
    from ..context.typed.answer_type import AnswerType

__all__ = ["answer_type", "make_prompt", "pictures_of"]

CODE_ONLY = (
    "Answer with Python code for the next cell of my notebook, in one fenced code block. "
    "My variables and imports are there already."
)

# Names of `typing` that an annotation needs no import for.
_TYPING = ("Any", "Dict", "List", "Literal", "Optional", "Set", "Tuple", "Union")


def make_prompt(
    notebook: Notebook,
    text: str,
    line: PromptLine,
    *,
    namespace: Namespace | None = None,
    expand: bool = True,
    wanted: AnswerType | None = None,
    more: tuple[Attachment, ...] = (),
    instruction: str = "",
    in_cell: bool = True,
    parts: tuple[Part, ...] = (),
    objects: tuple[Mapping[str, Any], ...] = (),
    masker: Masker | None = None,
) -> Prompt:
    """Return the prompt that asks `text` as `line` says, with all that goes along.

    Args:
        notebook: The notebook that asks.
        text: What the user wrote.
        line: The options.
        namespace: The variables that expressions can name; by default the user's.
        expand: Replace the ``{{expressions}}`` in the text.
        wanted: The type that the answer must have.
        more: Further data to send along.
        instruction: What the answer should look like, besides what the options say.
        in_cell: The running cell asks; its next run asks again instead.
        parts: Pictures that are there already.
        objects: What is recorded of those.
        masker: What has masked the secrets of `more`; by default a new one.

    Raises:
        UsageError: An expression or a picture cannot be used.
    """
    namespace = namespace or Namespace.of_shell(notebook.shell)
    if masker is None and notebook.session.settings.mask_secrets:
        masker = notebook.masker(namespace.variables)
    attachments = [*_attachments(notebook, line, masker), *more]
    instructions = [
        instruction,
        CODE_ONLY if line.code else "",
        wanted.instruction if wanted is not None else "",
    ]
    material = Material(attachments, line.image, "\n\n".join(filter(None, instructions)))
    prompt = replace(
        line.prompt(text, notebook.next_cell_id() if in_cell else None),
        parts=parts,
        objects=objects,
    )
    if wanted is not None:
        prompt = replace(prompt, schema=wanted.response_format["json_schema"])
    return gather(prompt, namespace, masker, material, expand=expand)


def _attachments(notebook: Notebook, line: PromptLine, masker: Masker | None) -> list[Attachment]:
    """Return the cells and the failure that the options name."""
    if not line.context and not line.error:
        return []
    from .attaching import cells_attached, failure_attached

    mask = str if masker is None else masker.mask
    attachments = cells_attached(notebook, line.context, mask)
    if line.error:
        attachments += failure_attached(notebook.last_failure(), mask)
    return attachments


def answer_type(wanted: Any, namespace: Namespace) -> AnswerType | None:
    """Return the type that an answer must have, given an annotation or its source; None for none.

    Raises:
        UsageError: It is no type, or none that an answer can have.
    """
    if wanted is None:
        return None
    from ..context.typed.answer_type import AnswerType

    if not isinstance(wanted, str):
        return AnswerType.of(wanted)
    known = {name: getattr(typing, name) for name in _TYPING}
    if wanted.strip() in ("DataFrame", "pd.DataFrame", "pandas.DataFrame"):
        try:
            pandas = import_module("pandas")
        except ImportError:
            raise UsageError("pandas is not installed", "Install it: pip install pandas") from None
        known |= {"DataFrame": pandas.DataFrame, "pd": pandas, "pandas": pandas}
    return AnswerType.of(namespace.evaluate_type(wanted, known))


def pictures_of(wanted: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return pictures as `ask` takes them: objects, and the names of files."""
    return tuple(Path(each) if isinstance(each, str) else each for each in wanted)
