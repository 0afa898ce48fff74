"""What the calls in a Python syntax tree do, found out in time linear in its size."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator

from .effect_names import (
    CODE,
    DELETES,
    EFFECTS_OF_FUNCTIONS,
    FUNCTIONS,
    METHODS,
    NETWORK,
    OPENERS,
    PATH_METHODS,
    PROCESSES,
    WRITES,
    in_network_module,
    shell_effects,
)
from .names import A_PATH, IMPORTERS, UNBOUND, UNKNOWN, Names
from .work import Work

__all__ = ["Calls"]

_NO_POSITION = 1_000  # of an argument that is given by its name

_STEPS = 1.5  # for each node

_IN_MEMORY = re.compile(r"io\.(?:StringIO|BytesIO)\(\)|~(?:StringIO|BytesIO)\(\)|~?sys\.\w+")
_SPARK = re.compile(r".*\.write(?:\.\w+\(\))*\.(?:csv|parquet|json|orc|text|save|saveAsTable)")
_SHELL_OF_IPYTHON = re.compile(r"~?(?:IPython\.)?get_ipython\(\)\.(\w+)")
_READER = re.compile(r"read_\w+|scan_\w+|open_\w+|loadtxt|genfromtxt|imread|load_table|urlopen")
_RUNS_TEXT = re.compile(r"(?:~|builtins\.)(?:eval|exec|compile)")
_FETCHER = re.compile(r"sklearn\.datasets\.fetch_\w+")
_WRITING_FLAG = re.compile(r"O_(?:WRONLY|RDWR|CREAT|TRUNC|APPEND)")
_MODE = re.compile(r"[rbtU]*[wax+][rwbtx+]*(?:[:|]\w*)?")
_ADDRESS = re.compile(r"(?:https?|s?ftp|s3a?|gs|gcs|abfss?|hdfs)://", re.IGNORECASE)
_TARGETS = ("path_or_buf", "path", "buf", "fname", "filename", "file", "excel_writer", "target")


class Calls:
    """The calls of some code, which may come in several trees.

    Args:
        work: What looking at the nodes of trees may take.
        on_text: Called with text that the code runs as Python.
        on_magic: Called with the name of a magic that the code runs, and with what follows.
    """

    def __init__(
        self,
        work: Work,
        on_text: Callable[[str], set[str]],
        on_magic: Callable[[str, str], set[str]],
    ) -> None:
        self._work = work
        self._on_text = on_text
        self._on_magic = on_magic
        self._names = Names()

    def effects(self, tree: ast.AST) -> set[str]:
        """Return the effects of another tree.

        Raises:
            TooMuchWork: It is too large.
        """
        nodes = list(ast.walk(tree))
        self._work.spend(len(nodes) * _STEPS)
        for node in nodes:
            self._names.bind(node)
        self._names.forget()
        found: set[str] = set()
        for node in nodes:
            if isinstance(node, (ast.Name, ast.Attribute)) and isinstance(node.ctx, ast.Load):
                found |= self._of_reference(node)
            elif isinstance(node, ast.Call):
                found |= self._of_call(node)
        return found

    def _of_reference(self, node: ast.Name | ast.Attribute) -> set[str]:
        """Return the effects of functions that need no arguments to be known."""
        found: set[str] = set()
        for name in self._names.of(node):
            bare = name.removeprefix(UNBOUND)
            found |= EFFECTS_OF_FUNCTIONS.get(bare, set())
        if isinstance(node, ast.Attribute) and METHODS.get(node.attr) == DELETES:
            found.add(DELETES)
        return found

    def _of_call(self, call: ast.Call) -> set[str]:
        found: set[str] = set()
        for name in self._names.of(call.func):
            bare = name.removeprefix(UNBOUND)
            found |= EFFECTS_OF_FUNCTIONS.get(bare, set())
            if bare in FUNCTIONS[PROCESSES]:
                found |= shell_effects(
                    self._names.text(_argument(call, 0, "args", "command", "cmd"))
                )
            if name == bare and "()" not in name and in_network_module(name):
                found.add(NETWORK)
            if bare in OPENERS and self._may_write(call, 1, OPENERS[bare]):
                found.add(WRITES)
            if in_shell := _SHELL_OF_IPYTHON.fullmatch(name):
                found |= self._in_shell(in_shell[1], call)
            if _RUNS_TEXT.fullmatch(name):
                found |= self._of_code(_argument(call, 0))
            found |= set(self._of_name(name, bare, call))
        if isinstance(call.func, ast.Attribute):
            found |= set(self._of_method(call.func, call))
        if _is_true(_argument(call, _NO_POSITION, "download")):
            found.add(NETWORK)
        return found

    def _of_code(self, code: ast.expr | None) -> set[str]:
        """Return the effects of what `eval`, `exec` or `compile` gets."""
        if isinstance(code, ast.Constant):
            return self._on_text(code.value) if isinstance(code.value, str) else set()
        # What `compile` got was looked at there.
        is_compiled = code is not None and all(
            name.endswith("compile()") for name in self._names.of(code)
        )
        return set() if is_compiled else {CODE}

    def _of_name(self, name: str, bare: str, call: ast.Call) -> Iterator[str]:
        """Yield the effects of a few functions that are special."""
        if bare in IMPORTERS and not self._names.text(_argument(call, 0)):
            yield CODE
        if bare == "os.open" and _WRITING_FLAG.search(ast.dump(call)):
            yield WRITES
        if bare == "logging.basicConfig" and _argument(call, _NO_POSITION, "filename"):
            yield WRITES
        if bare == "fileinput.input" and _is_true(_argument(call, _NO_POSITION, "inplace")):
            yield WRITES
        if _FETCHER.fullmatch(name):
            yield NETWORK
        if _SPARK.fullmatch(name):
            yield WRITES

    def _of_method(self, func: ast.Attribute, call: ast.Call) -> Iterator[str]:
        """Yield the effects of a method, whatever its object is."""
        method = func.attr
        first = _argument(call, 0)
        owners = self._names.of(func.value)
        is_path = any(A_PATH.fullmatch(owner) for owner in owners)
        if METHODS.get(method) == WRITES and self._is_target(_argument(call, 0, *_TARGETS)):
            yield WRITES
        if method == "write_excel" or (method in PATH_METHODS and is_path):
            yield WRITES
        if method == "save" and first is not None and self._is_file(first):
            yield WRITES
        is_of_series = isinstance(func.value, ast.Attribute) and func.value.attr == "str"
        if method == "extractall" and not is_of_series:
            yield WRITES
        is_unknown = any(owner[:1] == UNKNOWN for owner in owners)
        if (
            method == "open"
            and (is_path or is_unknown)
            and (self._may_write(call, 0, "r") or self._may_write(call, 1, "r"))
        ):
            yield WRITES
        source = _argument(call, 0, "filepath_or_buffer", "path", "source", "io")
        if _READER.fullmatch(method) and _ADDRESS.match(self._names.text(source)):
            yield NETWORK

    def _may_write(self, call: ast.Call, position: int, default: str) -> bool:
        """Say whether the mode with which a file is opened lets it be written."""
        mode = _argument(call, position, "mode", "flag")
        if mode is None:
            return default != "r"
        choices = [mode.body, mode.orelse] if isinstance(mode, ast.IfExp) else [mode]
        return any(
            bool(_MODE.fullmatch(text)) or text in ("c", "n")
            for text in (self._names.text(choice) for choice in choices)
        )

    def _is_target(self, node: ast.expr | None) -> bool:
        """Say whether an argument can be written to, and is not in memory."""
        if node is None or (isinstance(node, ast.Constant) and not isinstance(node.value, str)):
            return False
        return not any(_IN_MEMORY.fullmatch(name) for name in self._names.of(node))

    def _is_file(self, node: ast.expr) -> bool:
        """Say whether an argument is known to name a file."""
        names = self._names.of(node)
        joined = ("os.path.join()", "~os.path.join()")
        is_path = any(A_PATH.fullmatch(name) or name in joined for name in names)
        return is_path or isinstance(node, ast.JoinedStr) or bool(self._names.text(node))

    def _in_shell(self, method: str, call: ast.Call) -> set[str]:
        """Return the effects of a method of IPython's shell."""
        first, second = self._names.text(_argument(call, 0)), self._names.text(_argument(call, 1))
        if method in ("system", "getoutput", "getoutput_split", "sx"):
            return {PROCESSES} | shell_effects(first)
        if method in ("run_line_magic", "magic"):
            name, _, rest = f"{first.lstrip('%')} {second}".partition(" ")
            return self._on_magic(name, rest)
        if method == "run_cell_magic":
            body = self._names.text(_argument(call, 2))
            return self._on_magic(f"%{first}", f"{second}\n{body}")
        if method in ("run_cell", "ex", "ev", "run_code"):
            return self._on_text(first) if first else {CODE}
        return set()


def _argument(call: ast.Call, position: int, *keywords: str) -> ast.expr | None:
    """Return an argument by its position, or by one of its names."""
    if len(call.args) > position:
        argument = call.args[position]
        return argument.value if isinstance(argument, ast.Starred) else argument
    return next((word.value for word in call.keywords if word.arg in keywords), None)


def _is_true(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Constant) and node.value is True
