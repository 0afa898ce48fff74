"""Types of single values in JSON: the schema to ask for, and the value to return."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from datetime import date, datetime, time
from typing import Any, ClassVar

from ...text import one_line, well_formed

__all__ = [
    "Anything",
    "Choice",
    "Form",
    "Moment",
    "NotPlain",
    "Null",
    "Number",
    "Text",
    "Truth",
    "Unusable",
    "Whole",
    "misfit",
    "shown",
]


class NotPlain(Exception):
    """A type is not one of the plain ones; the message says which, and why."""


class Unusable(NotPlain):
    """A type is unknown to pydantic, too; the message says why."""


class Form(ABC):
    """How the values of one type look in JSON.

    Attributes:
        schema: The JSON schema.
        words: What a message calls such a value: ``a number``.
        hashable: The values can be members of a set.
        note: What a model should know besides the schema, or an empty string.
        json_type: What the schema calls the type, if that is all that it says.
    """

    schema: dict[str, Any]
    words: str
    hashable: bool = True
    note: str = ""
    json_type: str = ""

    def __init__(self) -> None:
        self.schema = {"type": self.json_type} if self.json_type else {}

    def takes(self, value: Any) -> bool:
        """Say whether the JSON type of `value` is right; its contents may still be wrong."""
        return self._takes(value)

    def read(self, value: Any, path: str) -> Any:
        """Return the value of the type that the JSON value `value` stands for.

        Raises:
            ValueError: It stands for none; the message is one line that begins with `path`.
        """
        return self._read(value, path)

    def read_text(self, text: str) -> Any:
        """Return the value that `text`, an answer without any JSON, stands for.

        Raises:
            ValueError: It stands for none.
        """
        return self._read_text(text)

    @property
    def is_object(self) -> bool:
        """Say whether the values are JSON objects, which a server takes without a wrapper."""
        return self.schema.get("type") == "object"

    @abstractmethod
    def _takes(self, value: Any) -> bool: ...

    def _read(self, value: Any, path: str) -> Any:
        if not self._takes(value):
            raise misfit(path, self.words, value)
        return value

    def _read_text(self, text: str) -> Any:
        raise misfit("answer", self.words, text)


def misfit(path: str, wanted: str, value: Any) -> ValueError:
    """Return the error that says what must be at `path`, and what is there."""
    return ValueError(f"{path}: must be {wanted}, not {shown(value)}")


def shown(value: Any) -> str:
    """Return a JSON value in a few words of one line."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return one_line(repr(value[:50] if isinstance(value, str) else value), 40)


class Text(Form):
    """``str``."""

    json_type = "string"
    words = "text"

    def _takes(self, value: Any) -> bool:
        return isinstance(value, str)

    def _read(self, value: Any, path: str) -> str:
        if not isinstance(value, str):
            raise misfit(path, self.words, value)
        return well_formed(value)

    def _read_text(self, text: str) -> str:
        # This was meant to be JSON, and is not, or is the JSON of something else.
        if not text or text.lstrip("`~json \n").startswith(("{", "[", '"')):
            raise misfit("answer", self.words, text)
        return well_formed(text)


class Truth(Form):
    """``bool``."""

    json_type = "boolean"
    words = "true or false"

    def _takes(self, value: Any) -> bool:
        return isinstance(value, bool)

    def _read_text(self, text: str) -> bool:
        word = _bare(text)
        if word not in ("true", "false"):
            raise misfit("answer", self.words, text)
        return word == "true"


class Whole(Form):
    """``int``; in JSON, 5.0 is a whole number, too."""

    json_type = "integer"
    words = "a whole number"

    def _takes(self, value: Any) -> bool:
        return isinstance(value, int) and not isinstance(value, bool)

    def _read(self, value: Any, path: str) -> int:
        if isinstance(value, float) and value.is_integer():
            return int(value)
        if not self.takes(value):
            raise misfit(path, self.words, value)
        return int(value)


class Number(Form):
    """``float``."""

    json_type = "number"
    words = "a number"

    def _takes(self, value: Any) -> bool:
        return isinstance(value, float)

    def _read(self, value: Any, path: str) -> float:
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise misfit(path, self.words, value)
        try:
            return float(value)
        except OverflowError:
            raise misfit(path, "a smaller number", value) from None


class Null(Form):
    """``None``."""

    json_type = "null"
    words = "null"

    def _takes(self, value: Any) -> bool:
        return value is None


class Anything(Form):
    """``Any``: every JSON value as it is."""

    words = "a JSON value"
    hashable = False

    def _takes(self, value: Any) -> bool:
        return True


class Moment(Form):
    """``date``, ``datetime`` or ``time``, as ISO 8601 has it."""

    _FORMATS: ClassVar[dict[type, tuple[str, str]]] = {
        date: ("date", "a date such as '2024-12-31'"),
        datetime: ("date-time", "a date and time such as '2024-12-31T23:59:00Z'"),
        time: ("time", "a time such as '23:59:00'"),
    }

    def __init__(self, kind: type[date] | type[time]) -> None:
        self._kind = kind
        name, self.words = self._FORMATS[kind]
        self.schema = {"type": "string", "format": name}

    def _takes(self, value: Any) -> bool:
        return isinstance(value, str)

    def _read(self, value: Any, path: str) -> Any:
        if not isinstance(value, str) or (self._kind is datetime and len(value) <= 10):
            raise misfit(path, self.words, value)
        # Python 3.10 does not read "Z".
        iso = f"{value[:-1]}+00:00" if value.endswith(("Z", "z")) else value
        try:
            return self._kind.fromisoformat(iso)
        except ValueError:
            raise misfit(path, self.words, value) from None

    def _read_text(self, text: str) -> Any:
        return self.read(text, "answer")


class Choice(Form):
    """One of some values: ``Literal``, or the members of an ``Enum``.

    Args:
        options: Each JSON value, and the value that it stands for.
    """

    def __init__(self, options: Sequence[tuple[Any, Any]]) -> None:
        self._options = options
        by_type: dict[type, list[Any]] = {}
        for said, _ in options:
            by_type.setdefault(type(said), []).append(said)
        schemas = [{"type": _JSON_TYPES[kind], "enum": said} for kind, said in by_type.items()]
        self.schema = schemas[0] if len(schemas) == 1 else {"anyOf": schemas}
        names = [shown(said) for said, _ in options[:12]] + ["…"] * (len(options) > 12)
        self.words = f"one of {', '.join(names)}" if len(names) > 1 else names[0]

    def _takes(self, value: Any) -> bool:
        return any(type(said) is type(value) and said == value for said, _ in self._options)

    def _read(self, value: Any, path: str) -> Any:
        for said, meant in self._options:
            if type(said) is type(value) and said == value:
                return meant
        raise misfit(path, self.words, value)

    def _read_text(self, text: str) -> Any:
        exact = [meant for said, meant in self._options if said == text]
        alike = [meant for said, meant in self._options if _bare(str(said)) == _bare(text)]
        if exact or len(alike) == 1:
            return (exact or alike)[0]
        raise misfit("answer", self.words, text)


_JSON_TYPES = {str: "string", int: "integer", bool: "boolean", type(None): "null"}


def _bare(text: str) -> str:
    """Return a word without the quotes, emphasis or full stop that models put around it."""
    return text.strip(" \n\"'`*.").casefold()
