"""The names that a cell needs and the names that it binds, from its syntax tree."""

from __future__ import annotations

import ast
import builtins
import sys
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ...markdown.magics import PYTHON_MAGICS
from .python import parse_cell

__all__ = ["Names", "missing_names", "names_in", "overwritten_names"]

# Names that are there without being in a namespace: IPython's, and those of class bodies.
_KNOWN = frozenset(dir(builtins))
_KNOWN |= {"display", "get_ipython", "In", "Out", "exit", "quit", "_", "__", "___"}
_KNOWN |= {"__annotations__", "__class__", "__file__", "__module__", "__path__", "__qualname__"}
# Magics that bind no names, as far as a cell can tell.
_HARMLESS = frozenset(
    ["!", "cd", "env", "history", "ls", "mv", "pwd", "rm", "set_env", "sx", "system", "writefile"]
)
_HARMLESS |= {"alias", "autoreload", "config", "copilot", "load_ext", "reload_ext", "unload_ext"}
_HARMLESS |= PYTHON_MAGICS
_HARMLESS |= {"bash", "html", "javascript", "js", "latex", "markdown", "perl", "ruby", "sh", "svg"}
_HARMLESS |= {
    "clear",
    "cls",
    "conda",
    "matplotlib",
    "pdb",
    "pip",
    "precision",
    "python3",
    "uv",
    "who",
}
_HARMLESS |= {"whos", "xmode"}
# What can bind any name.
_DYNAMIC = frozenset({"exec", "globals"})


@dataclass(frozen=True)
class Names:
    """The names of a cell.

    Attributes:
        uses: The global names it needs from before, in order of first use; builtins are left out.
        binds: The global names it binds, in order of first binding.
        imports: Where those come from that it binds by imports alone: module and name, the name
            empty for the module itself.
        is_certain: All that it binds is known: there is no ``import *``, ``exec`` or ``%run``.
    """

    uses: tuple[str, ...] = ()
    binds: tuple[str, ...] = ()
    imports: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    is_certain: bool = True


def names_in(source: str) -> Names:
    """Return the names of a cell; none of code that does not parse."""
    parsed = parse_cell(source)
    if parsed is None:
        return Names()
    visitor = _Visitor(parsed.tree)
    try:
        visitor.visit(parsed.tree)
    except RecursionError:
        return Names()
    uses = visitor.global_uses()
    module = visitor.module
    return Names(
        uses=tuple(name for name in uses if name not in _KNOWN),
        binds=() if parsed.is_timed else tuple(module.bound),
        imports={name: origin for name, origin in visitor.imports.items() if origin[0]},
        is_certain=visitor.is_certain and parsed.magics <= _HARMLESS and _DYNAMIC.isdisjoint(uses),
    )


def missing_names(source: str, namespace: Collection[str]) -> list[str]:
    """Return the names a cell needs that are not in `namespace`, in order of first use.

    Nothing is missing for certain if the cell may bind any name, as with ``import *``.
    """
    names = names_in(source)
    return [name for name in names.uses if name not in namespace] if names.is_certain else []


def overwritten_names(
    source: str, namespace: Collection[str], but: Collection[str] = ()
) -> list[str]:
    """Return the names in `namespace` that a cell binds anew, in order of first binding.

    Names that begin with an underscore do not count. Nor does an import of what is there already:
    if `namespace` is a mapping, its values are compared; otherwise no import counts.

    Args:
        source: The cell.
        namespace: The user's namespace.
        but: Names that may be bound anew, such as those of the cell that is replaced.
    """
    names = names_in(source)
    return [
        name
        for name in names.binds
        if name in namespace
        and name not in but
        and not name.startswith("_")
        and not (name in names.imports and _is_there(namespace, name, *names.imports[name]))
    ]


def _is_there(namespace: Collection[str], name: str, module: str, attribute: str) -> bool:
    if not isinstance(namespace, Mapping):
        return True
    value = namespace[name]
    if value is None:
        return False
    loaded = sys.modules.get(module)
    if not attribute:
        return loaded is value
    # Not by `getattr`: that may make a module import something.
    found = vars(loaded).get(attribute) if loaded is not None else None
    return found is value or sys.modules.get(f"{module}.{attribute}") is value


class _Scope:
    """The names of a module, a class, a function or a comprehension.

    Args:
        kind: ``module``, ``class``, ``function`` or ``comprehension``.
        parent: The scope around it, None for the module.
    """

    def __init__(self, kind: str, parent: _Scope | None = None) -> None:
        self.kind = kind
        self.parent = parent
        self.bound: dict[str, None] = {}  # for its order
        self.given: set[str] = set()  # without those that are only changed, as by `x += 1`
        self.globals: set[str] = set()
        self.nonlocals: set[str] = set()


class _Visitor(ast.NodeVisitor):
    """A walk through a cell that records its scopes, and which names are used in which."""

    def __init__(self, tree: ast.Module) -> None:
        self.module = self._scope = _Scope("module")
        self.imports: dict[str, tuple[str, str]] = {}
        self.is_certain = True
        self._uses: list[tuple[int, int, str, _Scope]] = []
        self._annotations_run = not any(
            isinstance(node, ast.ImportFrom)
            and node.module == "__future__"
            and any(alias.name == "annotations" for alias in node.names)
            for node in tree.body
        )

    def global_uses(self) -> list[str]:
        """Return the names that no scope of the cell binds, in order of first use."""
        self._uses.sort(key=lambda use: use[:2])
        return list(dict.fromkeys(u[2] for u in self._uses if self._is_global(u[2], u[3])))

    def _is_global(self, name: str, scope: _Scope) -> bool:
        at: _Scope | None = scope
        while at is not None and at.kind != "module" and name not in at.globals:
            # Functions in a class do not see its names.
            if name in at.bound and (at is scope or at.kind != "class"):
                return False
            at = at.parent
        return name not in self.module.given

    def _use(self, name: str, node: ast.expr) -> None:
        self._uses.append((node.lineno, node.col_offset, name, self._scope))

    def _bind(self, name: str, *, given: bool = True, origin: tuple[str, str] = ("", "")) -> None:
        scope = self._scope
        if name in scope.nonlocals:
            return
        if name in scope.globals:
            scope = self.module
        scope.bound[name] = None
        if given:
            scope.given.add(name)
        if scope is self.module and self.imports.setdefault(name, origin) != origin:
            self.imports[name] = ("", "")

    def _visit_all(self, nodes: Iterable[ast.AST | None]) -> None:
        for node in nodes:
            if node is not None:
                self.visit(node)

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Store):
            self._bind(node.id)
            return
        self._use(node.id, node)
        if isinstance(node.ctx, ast.Del) and self._scope.kind != "module":
            self._bind(node.id, given=False)

    def visit_Assign(self, node: ast.Assign) -> None:
        self._visit_all([node.value, *node.targets])

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        self.visit(node.value)
        if isinstance(node.target, ast.Name):
            self._use(node.target.id, node.target)
            self._bind(node.target.id, given=False)
        else:
            self.visit(node.target)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if self._annotations_run and self._scope.kind != "function":
            self.visit(node.annotation)
        if node.value is not None:
            self._visit_all([node.value, node.target])
        elif isinstance(node.target, ast.Name) and self._scope.kind != "module":
            self._bind(node.target.id, given=False)

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:
        self.visit(node.value)
        inside = self._scope
        while self._scope.kind == "comprehension" and self._scope.parent is not None:
            self._scope = self._scope.parent
        self.visit(node.target)
        self._scope = inside

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            first = alias.name.partition(".")[0]
            self._bind(alias.asname or first, origin=(alias.name if alias.asname else first, ""))

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        for alias in node.names:
            if alias.name == "*":
                self.is_certain = False
            elif node.module != "__future__":
                module = "" if node.level else node.module or ""
                self._bind(alias.asname or alias.name, origin=(module, alias.name))

    def visit_Global(self, node: ast.Global) -> None:
        self._scope.globals.update(node.names)

    def visit_Nonlocal(self, node: ast.Nonlocal) -> None:
        self._scope.nonlocals.update(node.names)

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        self._visit_all([node.type])
        if node.name:
            self._bind(node.name)
        self._visit_all(node.body)

    def generic_visit(self, node: ast.AST) -> None:
        """Visit what is in `node`, and bind the name of a pattern or of a type."""
        super().generic_visit(node)
        if isinstance(node, (ast.MatchAs, ast.MatchStar)) and node.name:
            self._bind(node.name)
        elif isinstance(node, ast.MatchMapping) and node.rest:
            self._bind(node.rest)

    def _visit_comprehension(self, node: Any) -> None:
        first = node.generators[0]
        self.visit(first.iter)
        self._scope = _Scope("comprehension", self._scope)
        for generator in node.generators:
            self.visit(generator.target)
            self._visit_all([None if generator is first else generator.iter, *generator.ifs])
        self._visit_all([getattr(node, name, None) for name in ("elt", "key", "value")])
        self._leave()

    visit_ListComp = visit_SetComp = visit_DictComp = _visit_comprehension
    visit_GeneratorExp = _visit_comprehension

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self._visit_function(node.args, [node.body])

    def _visit_definition(self, node: Any) -> None:
        self._visit_all(node.decorator_list)
        self._bind(node.name)
        parameters = getattr(node, "type_params", [])
        if parameters:
            self._enter_with_types(parameters)
        if isinstance(node, ast.ClassDef):
            self._visit_all([*node.bases, *(keyword.value for keyword in node.keywords)])
            self._scope = _Scope("class", self._scope)
            self._visit_all(node.body)
            self._leave()
        else:
            if self._annotations_run:
                arguments = (a for a in ast.walk(node.args) if isinstance(a, ast.arg))
                self._visit_all([*(a.annotation for a in arguments), node.returns])
            self._visit_function(node.args, node.body)
        if parameters:
            self._leave()

    visit_FunctionDef = visit_AsyncFunctionDef = visit_ClassDef = _visit_definition

    def visit_TypeAlias(self, node: Any) -> None:
        self.visit(node.name)
        self._enter_with_types(node.type_params)
        self.visit(node.value)
        self._leave()

    def _enter_with_types(self, parameters: list[Any]) -> None:
        self._scope = _Scope("function", self._scope)
        for parameter in parameters:
            self._bind(parameter.name)
        for parameter in parameters:
            super().generic_visit(parameter)

    def _visit_function(self, arguments: ast.arguments, body: Iterable[ast.AST]) -> None:
        self._visit_all([*arguments.defaults, *arguments.kw_defaults])
        self._scope = _Scope("function", self._scope)
        for argument in (
            *arguments.posonlyargs,
            *arguments.args,
            *arguments.kwonlyargs,
            *filter(None, [arguments.vararg, arguments.kwarg]),
        ):
            self._bind(argument.arg)
        self._visit_all(body)
        self._leave()

    def _leave(self) -> None:
        assert self._scope.parent is not None
        self._scope = self._scope.parent
