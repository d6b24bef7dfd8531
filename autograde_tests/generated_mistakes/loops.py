"""Operators on loops, indices and assignments: off by one, wrong direction, wrong axis, not carried, overwritten."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TypeGuard

from autograde_tests.generated_mistakes.edits import COMMON, RARE, Answer, Edit, expressions, functions, replaced
from autograde_tests.generated_mistakes.operators import Operator
from autograde_tests.generated_mistakes.wording import Wording


def ranges(tree: Answer, wording: Wording) -> Iterator[Edit]:
    """Start late, end early, or go through the steps in the other direction."""
    for node in expressions(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
            continue
        if node.func.id == "range" and len(node.args) == 1:
            (end,) = node.args
            yield Edit(
                replaced(tree, node, _range(ast.Constant(1), end)), "Your loop leaves out the first step.", COMMON
            )
            yield Edit(replaced(tree, node, _range(_shifted(end, -1))), "Your loop leaves out the last step.", COMMON)
            turned = ast.Call(ast.Name("reversed", ast.Load()), [node], [])
            yield Edit(
                replaced(tree, node, turned), "Your loop runs backwards, from the last step to the first.", COMMON
            )
        if node.func.id == "range" and len(node.args) >= 2:
            start, end, *step = node.args
            for first, last, words in (
                (_shifted(start, 1), end, "starts one too late"),
                (_shifted(start, -1), end, "starts one too early"),
                (start, _shifted(end, -1), "ends one too early"),
                (start, _shifted(end, 1), "ends one too late"),
            ):
                if not step:
                    yield Edit(replaced(tree, node, _range(first, last)), f"Your loop {words}.", COMMON)
        if node.func.id == "reversed" and len(node.args) == 1:
            yield Edit(
                replaced(tree, node, node.args[0]),
                "Your loop runs forwards; it has to run from the last step to the first.",
                COMMON,
            )


def shapes(tree: Answer, wording: Wording) -> Iterator[Edit]:
    """Count along another axis: sequences in place of steps."""
    for node in expressions(tree):
        if (
            isinstance(node, ast.Subscript)
            and isinstance(node.value, ast.Attribute)
            and node.value.attr == "shape"
            and isinstance(node.slice, ast.Constant)
        ):
            array = wording.quote(node.value.value).strip("`")
            for axis in {0, 1, 2} - {node.slice.value}:
                wrong = ast.Subscript(node.value, ast.Constant(axis), ast.Load())
                words = (
                    f"`{array}.shape[{axis}]`; it should be `{array}.shape[{node.slice.value!r}]`"
                    if array
                    else "the length of the wrong axis"
                )
                yield Edit(replaced(tree, node, wrong), f"You use {words}.", COMMON)
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id == "len"
            and wording.quote(node.args[0])
        ):
            wrong_size = ast.Subscript(ast.Attribute(node.args[0], "shape", ast.Load()), ast.Constant(1), ast.Load())
            array = wording.quote(node.args[0]).strip("`")
            yield Edit(
                replaced(tree, node, wrong_size),
                f"You use `{array}.shape[1]`; it should be its first axis, `len({array})`.",
            )


def indices(tree: Answer, wording: Wording) -> Iterator[Edit]:
    """Read or write one step earlier or later, wrapping around at the ends."""
    counters = {name.id for name in ast.walk(tree) if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store)}
    for node in expressions(tree):
        if not isinstance(node, ast.Subscript):
            continue
        array = wording.quote(node.value)
        entry = f"You use the entry of {array}" if array else "You use the entry"
        for index in ast.walk(node.slice):
            if isinstance(index, ast.Name) and index.id in counters:
                for by, words in ((-1, "before"), (1, "after")):
                    yield Edit(
                        replaced(tree, index, _shifted(index, by)), f"{entry} one {words} the right one.", COMMON
                    )
            if _is_fixed_index(index, node):
                yield Edit(replaced(tree, index, _shifted(index, 1)), f"{entry} one after the right one.", RARE)
        if isinstance(node.slice, ast.Slice) and ast.unparse(node.slice) == "::-1":
            yield Edit(
                replaced(tree, node, node.value), "You do not reverse the order where it should be reversed.", COMMON
            )


def _is_fixed_index(index: ast.AST, node: ast.Subscript) -> TypeGuard[ast.expr]:
    """Return whether a part of a subscript is an integer by itself, and not of a shape."""
    elements = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    of_shape = isinstance(node.value, ast.Attribute) and node.value.attr == "shape"
    is_integer = isinstance(index, ast.Constant) and type(index.value) is int
    return is_integer and not of_shape and any(index is element for element in elements)


def carries(tree: Answer, wording: Wording) -> Iterator[Edit]:
    """Start each step of a loop from the initial value, in place of the value that the step before has left."""
    for function in functions(tree):
        before: dict[str, ast.expr] = {}
        for statement in function.body:
            if isinstance(statement, ast.Assign):
                for target, value in _pairs(statement):
                    before[target] = value
            if isinstance(statement, ast.For):
                assigned = {
                    n.id for n in ast.walk(statement) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
                }
                for name in sorted(assigned & before.keys()):  # the same order in every build
                    yield from _not_carried(tree, statement, name, before[name], wording)


def _not_carried(tree: Answer, loop: ast.For, name: str, value: ast.expr, wording: Wording) -> Iterator[Edit]:
    for node in ast.walk(loop):
        if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load):
            start = wording.quote(value)
            words = f"every step starts from {start}" if start else "every step starts from the initial value"
            yield Edit(replaced(tree, node, value), f"The value is not carried from step to step: {words}.", COMMON)


def accumulations(tree: Answer, wording: Wording) -> Iterator[Edit]:
    """Add the new value of a state to the old one, in place of replacing it."""
    for loop in (node for node in ast.walk(tree) if isinstance(node, ast.For)):
        for node in loop.body:
            if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
                name = node.targets[0].id
                if any(isinstance(n, ast.Name) and n.id == name for n in ast.walk(node.value)):
                    added = ast.AugAssign(ast.Name(name, ast.Store()), ast.Add(), node.value)
                    yield Edit(
                        replaced(tree, node, added),
                        "You add the new value to the old one, where it should replace it.",
                        COMMON,
                    )


def _pairs(statement: ast.Assign) -> Iterator[tuple[str, ast.expr]]:
    target, value = statement.targets[0], statement.value
    if isinstance(target, ast.Name):
        yield target.id, value
    elif isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple) and len(target.elts) == len(value.elts):
        for name, element in zip(target.elts, value.elts, strict=True):
            if isinstance(name, ast.Name):
                yield name.id, element


def statements(tree: Answer, wording: Wording) -> Iterator[Edit]:
    """Overwrite in place of adding, leave an update out, or end a loop after its first step."""
    for node in ast.walk(tree):
        if isinstance(node, ast.AugAssign):
            overwritten = ast.Assign([node.target], node.value)
            if isinstance(node.op, ast.Add):
                yield Edit(
                    replaced(tree, node, overwritten),
                    "You overwrite a value to which you should add (`=` in place of `+=`).",
                    COMMON,
                )
                other = ast.AugAssign(node.target, ast.Sub(), node.value)
                yield Edit(replaced(tree, node, other), "You subtract where you should add.")
            yield Edit(replaced(tree, node, ast.Pass()), "You leave out an update inside your function.")
        if isinstance(node, ast.For):
            longer = ast.For(node.target, node.iter, [*node.body, ast.Break()], node.orelse)
            yield Edit(
                replaced(tree, node, longer),
                "Your loop ends after its first step (is `return` indented too far?).",
                COMMON,
            )
        if isinstance(node, ast.If) and not node.orelse:
            yield Edit(replaced(tree, node, ast.Pass()), "You leave out a case that has to be treated differently.")
            yield Edit(replaced(tree, node, node.body), "You treat all cases like a special one.")


def _range(*arguments: ast.expr) -> ast.Call:
    return ast.Call(ast.Name("range", ast.Load()), list(arguments), [])


def _shifted(value: ast.expr, by: int) -> ast.BinOp:
    return ast.BinOp(value, ast.Sub() if by < 0 else ast.Add(), ast.Constant(abs(by)))


LOOPS: tuple[Operator, ...] = (ranges, shapes, indices, carries, accumulations, statements)
