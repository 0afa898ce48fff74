"""What the names in Python code stand for.

Scopes and the order of statements are left aside: a name stands for all it is ever bound to. That
is right for almost all code in an answer.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict

from .effect_names import USUAL_NAMES

__all__ = ["A_PATH", "IMPORTERS", "UNBOUND", "UNKNOWN", "Names"]

UNKNOWN = "?"
"""The full name of what is not followed: a number, an attribute of nobody knows what."""

UNBOUND = "~"
"""What the full name of a name begins with that the code itself does not bind."""

IMPORTERS = ("__import__", "importlib.import_module")
"""Functions that return a module by its name."""

# How far a name is followed, and how many meanings it has at most.
_DEPTH = 30
_MEANINGS = 4

_PATH = (
    r"~?pathlib\.(?:Path|PosixPath|WindowsPath)(?:\.(?:cwd|home))?\(\)"
    r"(?:\.(?:parent|(?:with_\w+|joinpath|resolve|absolute|expanduser|relative_to)\(\)))*"
)
A_PATH = re.compile(_PATH)
"""The full name of a `pathlib.Path`."""

_SOME_PATHS = re.compile(rf"{_PATH}\.(?:glob|rglob|iterdir)\(\)")
_SAME_MEMBERS = ("~sorted", "~list", "~tuple", "~set", "~reversed")


class Names:
    """The names that code binds, and the full names of its expressions."""

    def __init__(self) -> None:
        self._bound: defaultdict[str, list[ast.AST | str]] = defaultdict(list)
        self._starred: list[str] = []  # modules of which everything is imported
        self._known: dict[ast.AST, list[str]] = {}

    def forget(self) -> None:
        """Forget what expressions stood for, because they may stand for more now."""
        self._known.clear()

    def bind(self, node: ast.AST) -> None:
        """Note what names stand for from this node on."""
        match node:
            case ast.Import(names=aliases):
                for alias in aliases:
                    name = alias.asname or alias.name.partition(".")[0]
                    self._add(name, alias.name if alias.asname else name)
            case ast.ImportFrom(module=module, names=aliases, level=level):
                for alias in aliases:
                    if alias.name == "*":
                        self._starred.append(module or UNKNOWN)
                    else:
                        full = UNKNOWN if level else f"{module}.{alias.name}"
                        self._add(alias.asname or alias.name, full)
            case ast.Assign(targets=targets, value=value):
                for target in targets:
                    self._bind_target(target, value)
            case ast.AnnAssign(target=target, value=value, annotation=annotation):
                self._bind_target(target, value or annotation)
            case ast.NamedExpr(target=target, value=value):
                self._bind_target(target, value)
            case ast.withitem(optional_vars=ast.AST() as target, context_expr=value):
                self._bind_target(target, value)
            case ast.For(target=ast.Name(id=name)) | ast.comprehension(target=ast.Name(id=name)):
                self._add(name, node)
            case ast.arg(arg=name, annotation=annotation):
                self._add(name, node if annotation else UNKNOWN)
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                self._add(name, UNKNOWN)
            case ast.ClassDef(name=name):
                self._add(name, UNKNOWN)
            case ast.Name(id=name, ctx=ast.Store()) if name not in self._bound:
                self._add(name, UNKNOWN)

    def _bind_target(self, target: ast.AST, value: ast.AST) -> None:
        if isinstance(target, ast.Name):
            self._add(target.id, value)
        elif isinstance(target, (ast.Tuple, ast.List)):
            values = value.elts if isinstance(value, (ast.Tuple, ast.List)) else []
            for index, inner in enumerate(target.elts):
                if isinstance(inner, ast.Name):
                    same = len(values) == len(target.elts)
                    self._add(inner.id, values[index] if same else UNKNOWN)

    def _add(self, name: str, meaning: ast.AST | str) -> None:
        meanings = self._bound[name]
        if meaning not in meanings[-_MEANINGS:]:
            meanings.append(meaning)

    def of(self, node: ast.AST, depth: int = _DEPTH) -> list[str]:
        """Return the full names of what an expression may be, with ``()`` for each call."""
        if node not in self._known:
            self._known[node] = []  # in case it stands for itself
            names = self._find_names(node, depth - 1) if depth else []
            self._known[node] = list(dict.fromkeys(names))[:_MEANINGS] or [UNKNOWN]
        return self._known[node]

    def _find_names(self, node: ast.AST, depth: int) -> list[str]:
        match node:
            case ast.Name(id=name):
                return self._meanings(name, depth)
            case ast.Attribute(value=value, attr=attr):
                return [f"{name}.{attr}" for name in self.of(value, depth)]
            case ast.Call(func=func, args=args):
                return [full for name in self.of(func, depth) for full in self._made(name, args)]
            case ast.BinOp(left=left, op=ast.Div(), right=right):
                both = [*self.of(left, depth), *self.of(right, depth)]
                return [name for name in both if A_PATH.fullmatch(name)][:1]
            case ast.For(iter=members) | ast.comprehension(iter=members):
                is_path = any(_SOME_PATHS.fullmatch(name) for name in self.of(members, depth))
                return ["pathlib.Path()"] if is_path else []
            case ast.arg(annotation=ast.AST() as annotation):
                return [f"{name}()" for name in self.of(annotation, depth)]
            case ast.Await(value=value) | ast.NamedExpr(value=value):
                return self.of(value, depth)
            case ast.IfExp(body=body, orelse=orelse):
                return [*self.of(body, depth), *self.of(orelse, depth)]
        return []

    def _meanings(self, name: str, depth: int) -> list[str]:
        if name not in self._bound:
            starred = [f"{module}.{name}" for module in self._starred]
            return [f"{UNBOUND}{USUAL_NAMES.get(name, name)}", *starred]
        found: list[str] = []
        for meaning in self._bound[name][-_MEANINGS:]:
            found += [meaning] if isinstance(meaning, str) else self.of(meaning, depth)
        return found

    def _made(self, name: str, args: list[ast.expr]) -> list[str]:
        """Return what a call of `name` returns."""
        first = args[0] if args else None
        if name == "~getattr" and len(args) > 1 and (attr := self.text(args[1])):
            return [f"{owner}.{attr}" for owner in self.of(args[0])]
        if name.removeprefix(UNBOUND) in IMPORTERS:
            module = self.text(first)
            return [module] if module else []
        if name in _SAME_MEMBERS and first is not None:
            return self.of(first)
        return [f"{name}()"]

    def text(self, node: ast.AST | None, depth: int = 5) -> str:
        """Return the text that an expression is, or begins with; empty if that is unknown."""
        match node:
            case ast.Constant(value=str(text)):
                return text
            case ast.JoinedStr(values=[first, *_]) if depth:
                return self.text(first, depth - 1)
            case ast.BinOp(left=left, op=ast.Add() | ast.Mod()) if depth:
                return self.text(left, depth - 1)
            case ast.List(elts=parts) | ast.Tuple(elts=parts) if depth:
                return " ".join(self.text(part, 0) or "''" for part in parts[:20])
            case ast.Name(id=name) if depth:
                bound = [value for value in self._bound.get(name, []) if isinstance(value, ast.AST)]
                return next(filter(None, (self.text(v, depth - 1) for v in bound[-4:])), "")
        return ""
