"""The variables that the expressions in a prompt can name."""

from __future__ import annotations

import builtins
import linecache
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..context.interpolate import one_expression
from ..errors import ExpressionError, UsageError
from ..text import one_line
from .pending import PendingAnswer

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = ["Namespace"]

# IPython puts these among the user's variables, and users mean them.
_OF_IPYTHON = ("In", "Out", "_", "__", "___")


class Namespace:
    """The variables of a notebook, or of the code that calls `ask`.

    Args:
        names: The global variables.
        local: The local ones, if there are any.
        hidden: Names that are not the user's.
    """

    def __init__(
        self,
        names: dict[str, Any],
        local: Mapping[str, Any] | None = None,
        hidden: Mapping[str, Any] | None = None,
    ) -> None:
        self._globals = names
        self._locals = names if local is None else local
        self._hidden = hidden or {}

    @classmethod
    def of_shell(cls, shell: InteractiveShell | None) -> Namespace:
        """Return the variables of a shell's user."""
        if shell is None:
            return cls({})
        return cls(shell.user_ns, hidden=shell.user_ns_hidden)

    @property
    def variables(self) -> Mapping[str, Any]:
        """Return the variables, by name, without those that IPython put there."""
        return {name: value for name, value in self._merged().items() if self.exists(name)}

    def exists(self, name: str) -> bool:
        """Say whether there is a variable of this name."""
        if name in _OF_IPYTHON:
            value = self._locals.get(name, "")
            # The last result may be a table or an array, whose truth value raises.
            return type(value) not in (str, list, dict) or bool(value)
        if name in self._hidden and self._locals.get(name) is self._hidden[name]:
            return False
        return name in self._locals or name in self._globals

    def evaluate(self, expression: str) -> object:
        """Return the value of an expression.

        Raises:
            ExpressionError: It raised something.
        """
        file = f"<{{{{{one_line(expression, 80)}}}}}>"
        try:
            value = eval(
                compile(one_expression(expression), file, "eval"), self._globals, self._locals
            )
            return value.arrived() if isinstance(value, PendingAnswer) else value
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            # A traceback finds the source here.
            lines = expression.splitlines(keepends=True)
            linecache.cache[file] = (len(expression), None, lines, file)
            raise failed_expression(expression, error) from error

    def evaluator(self, name: str) -> Callable[[str, object], object]:
        """Return a function that evaluates an expression in which `name` stands for a value.

        It knows the variables as they are now.
        """
        scope = dict(self._merged())
        namespace = Namespace(scope)

        def evaluate(expression: str, value: object) -> object:
            scope[name] = value
            return namespace.evaluate(expression)

        return evaluate

    def execute(self, statement: str, **values: object) -> None:
        """Execute a statement that also knows `values`, by names that the user does not have.

        Whatever it raises is the user's to see.
        """
        self._globals.update(values)
        try:
            exec(compile(statement, "<copilot>", "exec"), self._globals)
        finally:
            for name in values:
                del self._globals[name]

    def evaluate_type(self, source: str, known: dict[str, Any]) -> object:
        """Return the type that `source` names.

        Args:
            source: An annotation.
            known: Types that it can name although the user has not imported them.

        Raises:
            UsageError: It names none.
        """
        try:
            return eval(compile(source.strip(), "<type>", "eval"), {**known}, self._merged())
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            raise UsageError(
                f"{one_line(source, 80)!r} is no type: {_reason(error)}",
                "For example int, list[str] or Literal['yes', 'no']",
            ) from error

    def _merged(self) -> Mapping[str, Any]:
        return {**self._globals, **self._locals}

    def read(self, path: str) -> bytes:
        """Return the contents of a file; ``~`` is the user's home."""
        return Path(path).expanduser().read_bytes()


def failed_expression(expression: str, error: BaseException) -> ExpressionError:
    """Return the error that says, in one line, why an expression has no value."""
    shown = one_line(expression, 80)
    missing = getattr(error, "name", None) if isinstance(error, NameError) else None
    hint = "Correct the expression"
    if missing and not hasattr(builtins, str(missing)):
        hint = f"Define {missing} first"
    return ExpressionError(f"{{{{{shown}}}}}: {_reason(error)}", hint, expression=expression)


def _reason(error: BaseException) -> str:
    """Return the type of an exception and its message, in one line."""
    try:
        message = str(error)
    except Exception:  # noqa: BLE001  (the exception may be the user's own)
        message = ""
    return one_line(f"{type(error).__name__}: {message}".removesuffix(": "))
