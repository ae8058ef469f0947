"""Small faults, planted into a source one at a time through its syntax tree."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

_SWAPS: Final[dict[type[ast.AST], type[Any]]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Add,
    ast.BitOr: ast.BitAnd,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One fault: the file's whole text with it, and what it is. `name` is the same as long as its line is."""

    file: str
    line: int
    was: str
    now: str
    source: str

    @property
    def name(self) -> str:
        """File and change, without the line's number, which moves with every edit above it."""
        return f"{self.file}: {self.was} -> {self.now}"


def mutants(file: str, source: str) -> Iterator[Mutant]:
    """Every fault that is planted into `source`, one after the other, in the order of its lines."""
    tree = ast.parse(source)
    left_out = _left_out(tree)
    for index, node in enumerate(ast.walk(tree)):
        if node in left_out or not isinstance(node, ast.stmt | ast.expr):
            continue
        for variant in range(_variants(node)):
            changed = copy.deepcopy(tree)
            target = list(ast.walk(changed))[index]
            replacement = _mutated(target, variant)
            if replacement is None:
                continue
            parent, field, at = _place(changed, target)
            statement = _statement(tree, node)
            was = ast.unparse(statement).splitlines()[0]
            _put(parent, field, at, replacement)
            ast.fix_missing_locations(changed)
            now = ast.unparse(_statement_at(changed, statement)).splitlines()[0]
            if now != was:
                yield Mutant(file=file, line=statement.lineno, was=was, now=now, source=ast.unparse(changed))


def _variants(node: ast.AST) -> int:
    return 2 if isinstance(node, ast.Constant | ast.If | ast.IfExp | ast.While) else 1


def _mutated(node: ast.AST, variant: int) -> ast.AST | None:
    """The fault in place of `node`; None where there is none of this kind."""
    match node:
        case ast.Constant():
            return _constant(node.value, variant)
        case ast.If() | ast.IfExp() | ast.While() if variant == 0:
            node.test = ast.UnaryOp(op=ast.Not(), operand=node.test)
            return node
        case ast.UnaryOp(op=ast.Not()):
            return node.operand
        case ast.Return(value=value) if value is not None and not _is_none(value):
            return ast.Return(value=ast.Constant(value=None))
        case ast.Raise() | ast.Expr(value=ast.Call()) | ast.Assign() | ast.AugAssign() | ast.Delete():
            return ast.Pass()
        case ast.Continue():
            return ast.Break()
        case ast.Break():
            return ast.Continue()
        # Operators have no place of their own in a tree: all that are alike are one object.
        case ast.BinOp(op=op) | ast.BoolOp(op=op) if type(op) in _SWAPS:
            node.op = _SWAPS[type(op)]()
            return node
        case ast.Compare(ops=[op, *rest]) if type(op) in _SWAPS:
            node.ops = [_SWAPS[type(op)](), *rest]
            return node
        case _:
            return None


def _constant(value: Any, variant: int) -> ast.AST | None:
    match value:
        case bool():
            return ast.Constant(value=not value) if variant == 0 else None
        case int() | float():
            return ast.Constant(value=value + 1 if variant == 0 else value - 1)
        case str() if variant == 0:
            return ast.Constant(value=value + "X")
        case str() if value.endswith("\\Z"):
            return ast.Constant(value=value[:-2])
        case bytes():
            return ast.Constant(value=value + b"X") if variant == 0 else None
        case _:
            return None


def _left_out(tree: ast.Module) -> set[ast.AST]:  # noqa: C901, PLR0912 - one table of kinds
    """What no case can see: types, docstrings, imports, logging, and prose, whose wording the contract leaves free."""
    found: set[ast.AST] = set()
    for node in ast.walk(tree):
        inside: list[ast.AST] = []
        match node:
            case ast.AnnAssign():
                inside = [node.annotation]
            case ast.arg(annotation=ast.expr() as annotation):
                inside = [annotation]
            case ast.FunctionDef(name="metadata"):
                # What a process tells of itself is recorded, and no rule of the contract.
                inside = [node]
            case ast.FunctionDef():
                inside = [*node.decorator_list, *([node.returns] if node.returns else [])]
            case ast.ClassDef():
                inside = [*node.decorator_list]
            case ast.Expr(value=ast.Constant()) | ast.ImportFrom() | ast.Import():
                inside = [node]
            case ast.If(test=ast.Name(id="TYPE_CHECKING")):
                inside = [node]
            case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id="_log")))):
                inside = [node]
            case ast.Assign(targets=[ast.Name(id="_log" | "request_id")]) | ast.AnnAssign(target=ast.Name(id="_log")):
                inside = [node]
            case ast.Constant(value=str() as text) if " " in text and "\\Z" not in text:
                inside = [node]
            case _:
                pass
        for each in inside:
            found.update(ast.walk(each))
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id == "_log":
            found.update(ast.walk(node))
    return found


def _is_none(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _place(tree: ast.AST, target: ast.AST) -> tuple[ast.AST, str, int | None]:
    for parent in ast.walk(tree):
        for field, value in ast.iter_fields(parent):
            if value is target:
                return parent, field, None
            if isinstance(value, list):
                for at, each in enumerate(value):
                    if each is target:
                        return parent, field, at
    raise LookupError("the node is not in the tree")


def _put(parent: ast.AST, field: str, at: int | None, node: ast.AST) -> None:
    if at is None:
        setattr(parent, field, node)
    else:
        getattr(parent, field)[at] = node


def _statement(tree: ast.AST, target: ast.AST) -> ast.stmt:
    """The innermost statement around a node."""
    found: ast.stmt | None = None
    for node in ast.walk(tree):
        if isinstance(node, ast.stmt) and any(each is target for each in ast.walk(node)):
            found = node
    if found is None:
        raise LookupError("the node is in no statement")
    return found


def _statement_at(tree: ast.AST, like: ast.stmt) -> ast.stmt:
    """The statement where `like` was; what took its place has no position of its own, or its parent's."""
    same = [node for node in ast.walk(tree) if isinstance(node, ast.stmt) and _at(node) == _at(like)]
    return same[0] if same else ast.Pass()


def _at(node: ast.stmt) -> tuple[int, int]:
    return node.lineno, node.col_offset
