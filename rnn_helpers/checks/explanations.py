"""Explain an exception of a student's code in one or two sentences, with the shapes involved.

A rule looks at the exception's message and, where the frame is known, at the expression that failed; it returns a
sentence that is true of this code, or "". The first rule that answers wins. The original message stays on the card.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import numpy as np

from rnn_helpers.checks.error_messages import MESSAGES
from rnn_helpers.checks.error_sites import Site, belongs_to, last_line, shape_of, student_sites, text_of

SHAPE = r"\((\d+,(?:\d+(?:,\d+)*)?|)\)"
SHAPES_MATTER = {"ValueError", "TypeError", "IndexError", "InvalidArgumentError"}
RETURN_NONE = ("append", "extend", "insert", "sort", "reverse", "update", "fill", "put", "resize", "shuffle")
MATCHED_FROM_THE_RIGHT = "counted from the right, sizes must be equal or 1"
VERBS: dict[type, tuple[str, str]] = {
    ast.Add: ("add", "to"),
    ast.Sub: ("subtract", "and"),
    ast.Mult: ("multiply", "by"),
    ast.Div: ("divide", "by"),
}


@dataclass(frozen=True)
class Explanation:
    """What a card says about an exception: an explanation, or "", and the student's line, or ""."""

    sentence: str = ""
    line: str = ""


@dataclass(frozen=True)
class Failure:
    """An exception with what is known about it. site: the innermost frame of the student's code, if it is known."""

    kinds: tuple[str, ...]  # names of its classes
    message: str
    site: Site | None = None
    answer: Any = None

    def matches(self, pattern: str) -> re.Match[str] | None:
        """Return the match of a pattern in the message."""
        return re.search(pattern, self.message)

    @property
    def node(self) -> ast.AST | None:
        """Return the expression that failed, if it is known."""
        return self.site.node if self.site else None

    def value(self, node: ast.AST, default: Any = ...) -> Any:
        """Return the value of an expression where it failed, or `default` if that is not known."""
        return self.site.value(node, default) if self.site else default

    def shape(self, node: ast.AST) -> tuple[int, ...] | None:
        """Return the shape of an expression where it failed, or None."""
        return self.site.shape(node) if self.site else None

    def nodes(self, kind: type) -> list[Any]:
        """Return the nodes of a kind in what failed, or in its whole statement if that is all that is known."""
        root = self.node or (self.site.statement if self.site else None)
        return [node for node in ast.walk(root) if isinstance(node, kind)] if root else []


def explain(error: BaseException, answer: Any = None) -> Explanation:
    """Return the explanation of an exception, and the student's line in the function under test.

    answer: the function or class under test; if another function of the student's raised, the sentence names it
    """
    try:
        return _explain(error, answer)
    except Exception:  # an explanation is an extra; it must never hide the error itself
        return Explanation("", last_line(error))


def _explain(error: BaseException, answer: Any) -> Explanation:
    # Of an exception that another process passed on, only the text is here, and the frames are not the student's.
    sites = [] if hasattr(error, "submitted_line") else student_sites(error)
    answer_sites = [site for site in sites if belongs_to(site, answer)] or sites
    kinds = tuple(kind.__name__ for kind in type(error).__mro__)
    failure = Failure(kinds, clean(str(error)), sites[-1] if sites else None, answer)
    sentence = _first_sentence(failure) or _shapes_in_expression(failure)
    if not answer_sites:
        return Explanation(sentence, last_line(error))
    inner, site = sites[-1], answer_sites[-1]
    origin = (
        "" if inner is site else f"The error arises in {inner.description or inner.function}, which your code calls."
    )
    loop = _loop_over_rows(site) if failure.matches("shape|core dimension|out of bounds|too many indices") else ""
    parts = [_foreign_variable(site, failure), sentence, loop, origin]
    return Explanation(" ".join(filter(None, parts)), site.description)


def _first_sentence(failure: Failure) -> str:
    return next(filter(None, (rule(failure) for rule in RULES)), "")


def _shapes_in_expression(failure: Failure) -> str:
    """Return a sentence with the shapes of the arrays in what failed, for an exception that no rule explains."""
    if not SHAPES_MATTER.intersection(failure.kinds):
        return ""
    texts: dict[str, tuple[int, ...]] = {}
    for node in failure.nodes(ast.Name):
        value = failure.value(node)
        if isinstance(value, np.ndarray):
            texts.setdefault(node.id, value.shape)
    shapes = [f"`{name}` {shape}" for name, shape in texts.items()]
    return f"The shapes of the arrays in this expression: {', '.join(shapes)}." if shapes else ""


def clean(message: str) -> str:
    """Return an exception's message without colours, node names and what Keras writes around its reason."""
    message = re.sub(r"\x1b\[[0-9;]*m|\{\{function_node [^}]*\}\} ?| ?\[Op:\w+\]| name: ?$", "", message, flags=re.M)
    if "Graph execution error" in message:
        lines = [line.strip() for line in message.splitlines() if line.strip()]
        return next((line for line in reversed(lines) if not line.startswith("[[")), message)
    keras = re.search(r"Exception encountered when calling (\S+?)\.?\n\n(.*?)\n\nArguments received by", message, re.S)
    return f"in {keras[1]}: {clean(keras[2])}" if keras else message.strip()


def _operand(node: ast.AST, shape: tuple | None, fallback: str) -> str:
    """Return an operand with its shape, such as "`x_t` (2, 4)"."""
    text = text_of(node)
    name = f"`{text}`" if text else fallback
    return f"{name} {shape}" if shape else name


def _sides(failure: Failure) -> tuple[ast.AST, ast.AST, type] | None:
    """Return the two operands and the operator of what failed: an operation, or np.dot and np.matmul."""
    node = failure.node
    if isinstance(node, ast.BinOp):
        return node.left, node.right, type(node.op)
    if isinstance(node, ast.AugAssign):
        return node.target, node.value, type(node.op)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("dot", "matmul"):
        if len(node.args) == 2:
            return node.args[0], node.args[1], ast.MatMult
        if len(node.args) == 1:
            return node.func.value, node.args[0], ast.MatMult
    return None


def explain_matrix_product(failure: Failure) -> str:
    """Explain a matrix product whose inner sizes differ."""
    if not failure.matches(r"^matmul: Input operand|not aligned|Matrix size-incompatible|remapped shapes"):
        return ""
    sides = _sides(failure)
    first, second = (failure.shape(side) for side in sides[:2]) if sides else (None, None)
    if sides is None or first is None or second is None:
        return _no_array(failure, sides) or _product_of_message(failure)
    left, right = sides[:2]
    if not first or not second:
        number = _operand(left, None, "its left side") if not first else _operand(right, None, "its right side")
        none = any(failure.value(side) is None for side in sides[:2])
        return "" if none else f"`@` multiplies matrices, but {number} is a single number: `*` scales by a number."
    a, b = first[-1], second[-2 if len(second) > 1 else 0]
    start = f"You multiply {_operand(left, first, 'an array')} by {_operand(right, second, 'an array')}"
    if a == b:
        return f"{start}: the sizes of their leading axes do not match."
    same = " For the element-wise product, write `*`." if first == second else ""
    return f"{start}: the inner sizes {a} and {b} differ.{same or _fitting_product(failure, left, right)}"


def _no_array(failure: Failure, sides: tuple[ast.AST, ast.AST, type] | None) -> str:
    """Explain a matrix product one side of which is a call that gave no array."""
    match = failure.matches(r"^matmul: Input operand (\d) does not have enough dimensions \(has 0")
    side = sides[int(match[1])] if match and sides else None
    name = text_of(side.func) if isinstance(side, ast.Call) else ""
    return f"`{name}(...)` gave a single number or None here, and no array." if name else ""


def _product_of_message(failure: Failure) -> str:
    """Explain a matrix product by the sizes that the message states."""
    if sizes := failure.matches(r"\(size (\d+) is different from (\d+)\)"):
        return f"In a matrix product the inner sizes must be equal; here they are {sizes[2]} and {sizes[1]}."
    shapes = failure.matches(rf"shapes {SHAPE} and {SHAPE} not aligned: (\d+) .* != (\d+)")
    if shapes:
        return f"You multiply ({shapes[1]}) by ({shapes[2]}): the inner sizes {shapes[3]} and {shapes[4]} differ."
    tensors = failure.matches(r"In\[0\]: \[([\d,]+)\], In\[1\]: \[([\d,]+)\]")
    if tensors:
        a, b = (tuple(map(int, text.split(","))) for text in (tensors[1], tensors[2]))
        return f"You multiply {a} by {b}: the inner sizes must be equal, and the leading axes must match."
    return ""


def _fitting_product(failure: Failure, left: ast.AST, right: ast.AST) -> str:
    """Return a sentence about the order or the transpose that makes the shapes of a product fit, or ""."""
    plain_left, plain_right = _without_transpose(left), _without_transpose(right)
    if _is_weight(plain_left) and not _is_weight(plain_right) and _fits(failure, plain_right, plain_left):
        return f" This course puts rows first: `{_product_text(plain_right, plain_left)}`."
    options = [
        (text_left, text_right)
        for text_left, text_right in (
            (plain_left, right), (left, plain_right), (_transposed(left), right), (left, _transposed(right))
        )
        if (text_left, text_right) != (left, right) and _fits(failure, text_left, text_right)
    ]  # fmt: skip
    product = _product_text(*options[0]) if len(options) == 1 else ""
    return f" The shapes of `{product}` would fit." if product else ""


def _product_text(left: ast.AST, right: ast.AST) -> str:
    return text_of(ast.BinOp(left, ast.MatMult(), right))  # type: ignore[arg-type]


def _without_transpose(node: ast.AST) -> ast.AST:
    return node.value if isinstance(node, ast.Attribute) and node.attr == "T" else node


def _transposed(node: ast.AST) -> ast.AST:
    transposed = isinstance(node, ast.Attribute) and node.attr == "T"
    simple = isinstance(node, (ast.Name, ast.Attribute, ast.Subscript))
    return ast.Attribute(node, "T", ast.Load()) if simple and not transposed else node  # type: ignore[arg-type]


def _is_weight(node: ast.AST) -> bool:
    name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
    return name.startswith("W") or name == "U"


def _fits(failure: Failure, left: ast.AST, right: ast.AST) -> bool:
    first, second = failure.shape(left), failure.shape(right)
    return bool(first and second and len(second) > 1 and first[-1] == second[-2])


def explain_broadcasting(failure: Failure) -> str:
    """Explain arrays whose shapes do not match in an element-wise operation."""
    match = failure.matches(
        r"operands could not be broadcast|non-broadcastable output|^Incompatible shapes|could not be broadcast together"
    )
    if not match or failure.matches("indexing arrays"):
        return ""
    sides = _sides(failure)
    if sides is None:
        return _broadcasting_of_call(failure)
    left, right, kind = sides
    stated = _stated_shapes(failure)
    first, second = stated if len(stated) == 2 else (failure.shape(left), failure.shape(right))
    verb, preposition = VERBS.get(kind, ("combine", "and"))
    if first is None or second is None:
        return _broadcasting_of_message(failure)
    names = _operand(left, first, "an array"), _operand(right, second, "an array")
    if kind is ast.Sub:
        start = f"You subtract {names[1]} from {names[0]}"
    else:
        start = f"You {verb} {names[0]} {preposition} {names[1]}"
    advice = _matrix_product_advice(left, right, first, second) if kind is ast.Mult else ""
    advice = advice or _missing_axis_advice(((left, first), (right, second)))
    return f"{start}, element-wise, and these shapes do not match: {MATCHED_FROM_THE_RIGHT}.{advice}"


def _matrix_product_advice(left: ast.AST, right: ast.AST, first: tuple, second: tuple) -> str:
    if len(second) < 2 or not first or first[-1] != second[-2]:
        return ""
    result = (*first[:-1], second[-1])
    product = f"`{_product_text(left, right)}`" if _product_text(left, right) else "with it, the result"
    return f" The matrix product is written `@`: {product} has the shape {result}."


def _missing_axis_advice(operands: Iterable[tuple[ast.AST, tuple]]) -> str:
    """Return a sentence about an axis that was lost, by indexing or by a sum without keepdims, or ""."""
    items = list(operands)
    largest = max((shape for _, shape in items), key=len)
    for node, shape in items:
        if shape and shape == largest[:-1]:
            text = _with_new_axis(node, shape)
            if isinstance(node, ast.Call) or not text:
                return f" With keepdims=True, or [..., None] behind it, the shape {shape} becomes {(*shape, 1)}."
            return f" `{text}` has the shape {(*shape, 1)}, which would match."
    return ""


def _with_new_axis(node: ast.AST, shape: tuple) -> str:
    """Return the text of an expression with a new last axis, such as `mask[:, t, None]`, or ""."""
    text = text_of(node)
    if not text or not isinstance(node, (ast.Name, ast.Attribute, ast.Subscript)):
        return ""
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Tuple) and len(shape) == 1:
        return f"{text[:-1]}, None]"
    return f"{text}[:, None]" if len(shape) == 1 else f"{text}[..., None]"


def _broadcasting_of_call(failure: Failure) -> str:
    """Explain a call such as np.where(...) or a comparison whose arguments do not match."""
    node = failure.node
    if not isinstance(node, ast.Call):
        return _broadcasting_of_message(failure)
    operands = list(zip(node.args, _stated_shapes(failure), strict=False))
    if len(operands) < 2 or len(operands) != len(node.args):
        return _broadcasting_of_message(failure)
    names = ", ".join(_operand(argument, shape, "an array") for argument, shape in operands)
    function = text_of(node.func) or "The call"
    return (
        f"`{function}` combines its arguments element-wise, and these shapes do not match: {names}; "
        f"{MATCHED_FROM_THE_RIGHT}.{_missing_axis_advice(operands)}"
    )


def _stated_shapes(failure: Failure) -> list[tuple[int, ...]]:
    """Return the shapes of the operands, in their order, that a message about broadcasting states."""
    match = failure.matches(r"broadcast together with shapes ((?:\([\d,]*\) ?)+)$")
    sizes = re.findall(r"\(([\d,]*)\)", match[1]) if match else []
    return [tuple(int(size) for size in text.split(",") if size) for text in sizes]


def _broadcasting_of_message(failure: Failure) -> str:
    shapes = re.findall(r"\(([\d,]*)\)|\[([\d,]+)\]", failure.message)
    if len(shapes) < 2 or failure.matches("remapped"):
        return ""
    listed = " and ".join(f"({(a or b).rstrip(',').replace(',', ', ')}{',' if ',' not in (a or b).rstrip(',') else ''})"
                          for a, b in shapes)  # fmt: skip
    return f"You combine the shapes {listed} element-wise, and they do not match: {MATCHED_FROM_THE_RIGHT}."


def explain_assignment(failure: Failure) -> str:
    """Explain a value that does not fit into the part of an array that it is assigned to."""
    match = failure.matches(
        rf"could not broadcast input array from shape {SHAPE} into shape {SHAPE}"
    ) or failure.matches(rf"value array of shape {SHAPE} could not be broadcast to indexing result of shape {SHAPE}")
    if not match:
        return ""
    got, target_shape = (_shape_text(match[number]) for number in (1, 2))
    target = next(iter(_targets(failure)), "")
    where = f"`{target}`, which has the shape {target_shape}" if target else f"a place of shape {target_shape}"
    return f"You assign an array of shape {got} to {where}."


def _shape_text(sizes: str) -> str:
    return str(tuple(int(size) for size in sizes.split(",") if size))


def _targets(failure: Failure) -> list[str]:
    statement = failure.site.statement if failure.site else None
    targets = statement.targets if isinstance(statement, ast.Assign) else []
    return [text for target in targets if isinstance(target, ast.Subscript) and (text := text_of(target))]


def explain_truth_value(failure: Failure) -> str:
    """Explain an array where Python needs a single True or False."""
    if not failure.matches("truth value of an? (empty )?array"):
        return ""
    node = _condition(failure)
    compared = [n for n in failure.nodes(ast.Compare) if any(isinstance(op, (ast.Eq, ast.NotEq)) for op in n.ops)]
    for compare in compared:
        sides = [compare.left, *compare.comparators]
        if any(isinstance(side, ast.Constant) and side.value is None for side in sides):
            other = next(text_of(side) for side in sides if not isinstance(side, ast.Constant))
            negated = " not" if isinstance(compare.ops[0], ast.NotEq) else ""
            return (
                f"`{text_of(compare)}` compares every entry of the array with None; "
                f"write `{other} is{negated} None`, which asks about the variable itself."
            )
    if isinstance(node, ast.Call) and text_of(node.func) in ("max", "min", "sorted", "any", "all"):
        name = text_of(node.func)
        entries = f"np.{name.replace('sorted', 'sort')}"
        return f"Python's `{name}` compares whole rows of an array; `{entries}` looks at the entries."
    shape = failure.shape(node) if node else None
    what = f"`{text_of(node)}`" if isinstance(node, ast.expr) and text_of(node) else "what stands here"
    size = f" is an array of shape {shape}" if shape else " is an array with several entries"
    return (
        f"Python needs a single True or False here, but {what}{size}. "
        "To choose between two values for each entry, use np.where(condition, a, b); to join conditions, & and |."
    )


def _condition(failure: Failure) -> ast.AST | None:
    """Return the expression that is asked whether it is true, if it is known."""
    statement = failure.site.statement if failure.site else None
    if not isinstance(failure.node, ast.expr) and isinstance(statement, (ast.If, ast.While)):
        return statement.test
    return failure.node


def explain_unpacking(failure: Failure) -> str:
    """Explain an assignment to several names that does not get as many values."""
    many = failure.matches(r"too many values to unpack \(expected (\d+)")
    few = failure.matches(r"not enough values to unpack \(expected (\d+), got (\d+)\)")
    single = failure.matches("cannot unpack non-iterable (.*) object")
    match = many or few or single
    if not match:
        return ""
    statement = failure.site.statement if failure.site else None
    if not isinstance(statement, ast.Assign) or not isinstance(statement.targets[0], ast.Tuple):
        return _unpacking_of_message(many, few, single)
    names, value = statement.targets[0], statement.value
    source = f"`{text_of(value)}`" if text_of(value) else "the right side"
    count = len(names.elts)
    got = failure.value(value)
    if isinstance(got, np.ndarray) and got.ndim:
        have = f"is an array of shape {got.shape}: unpacking goes along its first axis, of size {len(got)}"
    elif isinstance(got, (tuple, list, dict)):
        have = f"has {len(got)}"
    else:
        have = f"has {few[2]}" if few else "has more" if many else f"is a single value of type {match[1]}"
    return f"You unpack {source} into {count} names, {_listed(names.elts)}, but it {have}."


def _unpacking_of_message(many: re.Match | None, few: re.Match | None, single: re.Match | None) -> str:
    if single:
        return f"The line takes several values apart, but gets a single one, of type {single[1]}."
    if few:
        return f"The line takes apart {few[1]} values, but gets {few[2]}."
    return f"The line takes apart {many[1]} values, but gets more." if many else ""


def _listed(nodes: Iterable[ast.AST]) -> str:
    names = [f"`{ast.unparse(node)}`" for node in nodes]
    return ", ".join(names[:-1]) + f" and {names[-1]}" if len(names) > 1 else names[0]


def explain_none(failure: Failure) -> str:
    """Explain a value that is None where a number or an array is needed."""
    named = failure.matches("NoneType")
    if not named and not failure.matches(r"^matmul: Input operand \d does not have enough dimensions"):
        return ""
    operands = _direct_operands(failure.node)
    values = [failure.value(node) for node in operands]
    for node, value in zip(operands, values, strict=True):
        if value is None and not isinstance(node, ast.Constant):
            return _none_sentence(failure, node)
    calls = [node for node, value in zip(operands, values, strict=True) if value is ... and isinstance(node, ast.Call)]
    only_call = len(calls) == 1 == sum(value is ... for value in values)
    if named and only_call and not any(value is None for value in values) and text_of(calls[0].func):
        return f"`{text_of(calls[0].func)}(...)` returned None here: it may lack a return."
    return ""


def _direct_operands(node: ast.AST | None) -> list[ast.AST]:
    """Return the expressions whose values the failing expression needs first."""
    operands: list[ast.AST] = [node] if isinstance(node, ast.Name) else []
    if isinstance(node, ast.BinOp):
        operands = [node.left, node.right]
    elif isinstance(node, ast.AugAssign):
        operands = [node.target, node.value]
    elif isinstance(node, ast.Call):
        operands = [node.func, *node.args]
    elif isinstance(node, (ast.Attribute, ast.Subscript)):
        operands = [node.value] if isinstance(node.value, ast.Call) else [node, node.value]
    elif isinstance(node, ast.UnaryOp):
        operands = [node.operand]
    return operands


def _none_sentence(failure: Failure, node: ast.AST) -> str:
    name = ast.unparse(node)
    function = failure.site.function_node if failure.site else None
    for assignment in ast.walk(function) if function else ():
        if (
            isinstance(assignment, ast.Assign)
            and any(ast.unparse(target) == name for target in assignment.targets)
            and isinstance(assignment.value, ast.Call)
            and isinstance(assignment.value.func, ast.Attribute)
            and assignment.value.func.attr in RETURN_NONE
        ):
            call = assignment.value.func
            return f"`{name}` is None here: `{ast.unparse(call)}(...)` changes its object in place and returns None."
    if isinstance(function, ast.FunctionDef) and name in [argument.arg for argument in function.args.args]:
        return f"The argument `{name}` is None here; give it a value first, `if {name} is None: {name} = ...`."
    return f"`{name}` is None here, where a number or an array is needed."


def explain_missing_name(failure: Failure) -> str:
    """Explain a name that is not defined, or has no value yet."""
    local = failure.matches(r"local variable '(\w+)'")
    if local and "UnboundLocalError" in failure.kinds:
        name = local[1]
        return (
            f"`{name}` has no value yet at this line. A name that a function assigns anywhere is the function's own "
            f"variable, so give `{name}` its first value before this line."
        )
    match = failure.matches(r"^name '(\w+)' is not defined")
    if not match or not failure.site:
        return ""
    name, site = match[1], failure.site
    if site.owner is not None and _has(site.owner, name):
        return f"`{name}` belongs to the object: inside the class it is `self.{name}`."
    near = get_close_matches(name, [*site.frame.f_locals, *site.frame.f_globals], n=1, cutoff=0.75)
    advice = f"Did you mean `{near[0]}`?" if near else "It has to be a parameter, or to get a value before this line."
    return f"There is no `{name}` here. {advice}"


def _has(owner: Any, name: str) -> bool:
    return name in getattr(owner, "__dict__", {}) or hasattr(type(owner), name)


def explain_arguments(failure: Failure) -> str:  # noqa: PLR0911 (one return for each kind of call)
    """Explain a call with the wrong number of arguments."""
    match = failure.matches(r"^(?:in \S+: )?([\w.<>]+)\(\) (missing|takes|got)")
    if not match:
        return ""
    name = match[1].split(".")[-1]
    counts = failure.matches(r"takes (?:from \d+ to )?(\d+) positional arguments? but (\d+) (?:was|were) given")
    if counts and "takes from" in failure.message and int(counts[2]) < int(counts[1]):
        return f"The call of `{name}` passes too few arguments: {counts[2]}."
    first = _first_parameter(failure, name)
    if counts and first not in (None, "self", "this", "cls"):
        return f"The first parameter of a method is the object itself: write `def {name}(self, ...)`."
    call = failure.node if isinstance(failure.node, ast.Call) else None
    if starred := _tuple_argument(failure, call):
        size, text = starred
        return f"`{text}` is one argument, a tuple of {size}; `*{text}` passes its {size} items one by one."
    if counts:
        most, passed = (int(number) - (first is not None) for number in counts.groups())  # without the object
        return f"`{name}` takes {_counted(most, 'argument')} here, and the call passes {passed}."
    missing = failure.matches(r"missing \d+ required (?:positional|keyword-only) arguments?: (.+)")
    if missing:
        return f"The call of `{name}` does not pass {missing[1].replace(chr(39), '`')}."
    unexpected = failure.matches(r"unexpected keyword argument '(\w+)'")
    return f"`{name}` has no parameter called `{unexpected[1]}`." if unexpected else ""


def _counted(count: int, noun: str, plural: str = "") -> str:
    return f"{count} {noun if count == 1 else plural or f'{noun}s'}"


def _first_parameter(failure: Failure, name: str) -> str | None:
    """Return the first parameter of a method of the student's, "" if it has none; None for what is no method."""
    owner = failure.answer if isinstance(failure.answer, type) else None
    call = failure.node
    if failure.site and isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute):
        owner = type(failure.value(call.func.value))
    code = getattr(vars(owner).get(name) if owner else None, "__code__", None)
    return None if code is None else (*code.co_varnames[: code.co_argcount], "")[0]


def _tuple_argument(failure: Failure, call: ast.Call | None) -> tuple[int, str] | None:
    """Return the size and the text of a tuple that is passed as one argument where several are missing, or None."""
    missing = failure.matches(r"missing (\d+) required")
    for argument in call.args if call and missing else ():
        value = failure.value(argument)
        if missing and isinstance(value, tuple) and len(value) == int(missing[1]) + 1 and text_of(argument):
            return len(value), text_of(argument)
    return None


def explain_index(failure: Failure) -> str:  # noqa: PLR0911, C901 (one return for each kind of index)
    """Explain an index that does not exist, or is of the wrong kind."""
    if "AxisError" in failure.kinds:
        return _axis_sentence(failure)
    if "IndexError" not in failure.kinds and not failure.matches("indices must be integers"):
        return ""
    subscript = next((node for node in [failure.node] if isinstance(node, ast.Subscript)), None)
    bounds = failure.matches(r"index (-?\d+) is out of bounds for axis (\d+) with size (\d+)")
    if bounds:
        return _out_of_bounds(failure, subscript, *map(int, bounds.groups()))
    many = failure.matches(r"too many indices for array: array is (\d+)-dimensional, but (\d+) were indexed")
    if many:
        array = _operand(subscript.value, failure.shape(subscript.value), "the array") if subscript else "the array"
        has = f"has {_axes(int(many[1]))}" if int(many[1]) else "is a single value without axes"
        return f"You use {_counted(int(many[2]), 'index', 'indices')}, but {array} {has}."
    if failure.matches("(list|tuple) index out of range"):
        return _past_the_end(failure, subscript)
    if failure.matches("only integers, slices|must be of integer|indices must be integers or slices, not (float|str)"):
        return _not_an_index(failure, subscript)
    if failure.matches("indices must be integers or slices, not tuple"):
        what = f"`{text_of(subscript.value)}`" if subscript else "This"
        return (
            f"{what} is a list, which takes one index at a time; `np.array(...)` makes an array, which takes several."
        )
    return ""


def _axes(count: int) -> str:
    return f"{count} {'axis' if count == 1 else 'axes'}"


def _axis_sentence(failure: Failure) -> str:
    match = failure.matches(r"axis (-?\d+) is out of bounds for array of dimension (\d+)")
    if not match:
        return ""
    count = int(match[2])
    if count == 0:
        return f"You ask for axis {match[1]} of a single number, which has no axes."
    which = "axis 0" if count == 1 else f"numbered 0 to {count - 1}"
    return f"You ask for axis {match[1]}, but the array has {_axes(count)}, {which}."


def _out_of_bounds(failure: Failure, subscript: ast.Subscript | None, index: int, axis: int, size: int) -> str:
    shape = failure.shape(subscript.value) if subscript else None
    if subscript is None or shape is None or not text_of(subscript):
        start = f"You ask for index {index} along axis {axis}"
    else:
        array = text_of(subscript.value)
        start = f"`{text_of(subscript)}` asks for index {index} along axis {axis} of `{array}`, whose shape is {shape}"
    last = f"the last index there is {size - 1}" if size else "there are no entries along it"
    return f"{start}; {last}."


def _past_the_end(failure: Failure, subscript: ast.Subscript | None) -> str:
    if subscript is None:
        return ""
    container, index, text = failure.value(subscript.value), failure.value(subscript.slice), text_of(subscript.value)
    if not isinstance(container, (list, tuple)) or not isinstance(index, (int, np.integer)) or not text:
        return ""
    if text.endswith(".shape"):
        return f"`{text}` is {container} here: {_axes(len(container))}, counted from 0, so it has no item {index}."
    return f"You ask for item {index} of `{text}`, counted from 0, but it has {_counted(len(container), 'item')} here."


def _not_an_index(failure: Failure, subscript: ast.Subscript | None) -> str:
    parts = subscript.slice.elts if subscript and isinstance(subscript.slice, ast.Tuple) else []
    parts = parts or ([subscript.slice] if subscript else [])
    for part in parts:
        value = failure.value(part)
        if isinstance(value, (float, np.floating)) or (isinstance(value, np.ndarray) and value.dtype.kind == "f"):
            kind = "an array of floats" if isinstance(value, np.ndarray) else f"the float {value}"
            text = f"`{text_of(part)}`" if text_of(part) else "the index"
            advice = "`//` divides integers, `.astype(int)` converts an array"
            return f"An index must be an integer, and {text} is {kind}: {advice}."
        if isinstance(value, str) and subscript:
            container = _article(type(failure.value(subscript.value)).__name__)
            return f"`{text_of(subscript.value)}` is {container}, which has no key {value!r}; only a dict has keys."
    return "An index must be an integer, a slice, or an array of integers or booleans."


def explain_key(failure: Failure) -> str:
    """Explain a key that a dict does not have."""
    if "KeyError" not in failure.kinds or not isinstance(failure.node, ast.Subscript):
        return ""
    keys = failure.value(failure.node.value)
    if not isinstance(keys, dict) or not text_of(failure.node.value):
        return ""
    listed = ", ".join(map(repr, list(keys)[:12])) or "none"
    return f"The dict `{text_of(failure.node.value)}` has no key {failure.message}; its keys are {listed}."


def explain_reshape(failure: Failure) -> str:
    """Explain a reshape that changes the number of entries."""
    match = failure.matches(r"cannot reshape array of size (\d+) into shape \(([\d,]*)\)")
    if not match:
        return ""
    sizes = [int(size) for size in match[2].split(",") if size]
    call = failure.node if isinstance(failure.node, ast.Call) else None
    array = call.func.value if call and isinstance(call.func, ast.Attribute) else None
    if array is not None and call and text_of(array) == "np" and call.args:
        array = call.args[0]
    shape = failure.shape(array) if array is not None else None
    what = f"`{text_of(array)}` {shape}" if array is not None and shape is not None and text_of(array) else "The array"
    product = int(np.prod(sizes))
    target = tuple(sizes)
    if int(match[1]) % max(product, 1) or "-1" not in (ast.unparse(call) if call else ""):
        fits = f"{target} would have {product}" if "-1" not in (ast.unparse(call) if call else "") else (
            f"that is not a multiple of {product}")  # fmt: skip
        return f"{what} has {match[1]} entries, and {fits}; reshape keeps the number of entries."
    return ""


def explain_joining(failure: Failure) -> str:
    """Explain arrays that cannot be stacked or joined."""
    if failure.matches("all input arrays must have the same shape|all the input array"):
        shapes = _shapes_of_list(failure)
        listed = f" are {shapes}" if shapes else " differ"
        return f"The arrays that you join must have matching shapes; theirs{listed}."
    if failure.matches("need at least one array"):
        return "The list of arrays to join is empty."
    if failure.matches("inhomogeneous shape|setting an array element with a sequence"):
        if failure.matches("inhomogeneous"):
            return "Items of different shapes do not form one array; rows of different lengths have to be padded first."
        target = next(iter(_targets(failure)), "")
        subject = f"`{target}` has" if target else "the place has"
        return f"You assign several numbers where {subject} room for one."
    if failure.matches("only integer scalar arrays can be converted"):
        return _joined_without_list(failure)
    return ""


def explain_number_of_axes(failure: Failure) -> str:
    """Explain arrays with different numbers of axes, in np.take_along_axis for example."""
    if not failure.matches("must have the same number of dimensions") or not isinstance(failure.node, ast.Call):
        return ""
    operands = [(node, shape) for node in failure.node.args if (shape := failure.shape(node))]
    listed = ", ".join(_operand(node, shape, "an array") for node, shape in operands)
    return f"The arrays need the same number of axes: {listed}.{_missing_axis_advice(operands)}" if listed else ""


def _shapes_of_list(failure: Failure) -> str:
    argument = next((node.args[0] for node in failure.nodes(ast.Call) if node.args), None)
    items = failure.value(argument) if argument is not None else None
    shapes = [shape_of(item) for item in items] if isinstance(items, (list, tuple)) else []
    if not shapes or None in shapes or len(shapes) > 6:
        return ""
    return ", ".join(map(str, shapes[:-1])) + f" and {shapes[-1]}" if len(shapes) > 1 else ""


def _joined_without_list(failure: Failure) -> str:
    call = failure.node if isinstance(failure.node, ast.Call) else None
    name = text_of(call.func) if call else ""
    if call and name in ("np.concatenate", "np.stack", "np.vstack", "np.hstack") and len(call.args) > 1:
        return f"`{name}` takes the arrays as one list: `{name}([a, b])`."
    if call and name == "range" and call.args:
        shape = failure.shape(call.args[-1])
        return f"`range` needs one integer, and gets an array of shape {shape}." if shape else ""
    return "A single integer is needed here, not an array."


def explain_called_value(failure: Failure) -> str:
    """Explain parentheses behind something that is no function."""
    match = failure.matches(r"^'([\w.]+)' object is not callable")
    if not match:
        return ""
    call = failure.node if isinstance(failure.node, ast.Call) else None
    name = f"`{text_of(call.func)}`" if call and text_of(call.func) else "What stands before the parentheses"
    advice = "brackets [] index it" if call and call.args else "leave out the parentheses"
    return f"{name} is {_article(match[1])}, not a function that can be called: {advice}."


def explain_arithmetic(failure: Failure) -> str:
    """Explain an operator one side of which is neither a number nor an array."""
    match = failure.matches(r"^unsupported operand type\(s\) for (\S+): '([\w.]+)' and '([\w.]+)'")
    sides = _sides(failure)
    if not match or not sides:
        return ""
    if match[1].rstrip("=") == "@" and not any(failure.shape(side) for side in sides[:2]):
        numbers = all(failure.shape(side) == () for side in sides[:2])
        return "`@` multiplies matrices, and these are single numbers: `*` multiplies numbers." if numbers else ""
    for side, kind in zip(sides[:2], match.groups()[1:], strict=True):
        if kind in ("dict", "str", "tuple", "function", "range", "generator", "type", "set", "method", "Generator"):
            text = f"`{text_of(side)}`" if text_of(side) else "One side"
            return f"{text} is {_article(kind)}, and `{match[1]}` works on numbers and arrays."
    return ""


def explain_type(failure: Failure) -> str:
    """Explain values of the wrong type, such as lists, floats or booleans, where their names make it clearer."""
    if match := failure.matches(r"Cannot cast ufunc '\w+' output from dtype\('(\w+)'\) to dtype\('(\w+)'\)"):
        target = f"`{text_of(failure.node.target)}`" if isinstance(failure.node, ast.AugAssign) else "The array"
        return (
            f"{target} holds {match[2]} and cannot take {match[1]} in place: create it with floats, as np.zeros does."
        )
    if match := failure.matches(r"^'?(list|tuple|float|int)'? object has no attribute '(\w+)'"):
        return f"{_value_name(failure)} is {_article(match[1])}, not an array, so it has no `{match[2]}`."
    if match := failure.matches(r"^'numpy.ndarray' object has no attribute '(\w+)'"):
        return f"{_value_name(failure)} is an array, and arrays have no `{match[1]}`."
    if match := failure.matches(r"^'(int|float|numpy\.\w+|function)' object is not (iterable|subscriptable)"):
        verb = "loops over" if match[2] == "iterable" else "indexes"
        return f"The code {verb} {_article(match[1].removeprefix('numpy.'))}, which has no items."
    return ""


def explain_by_message(failure: Failure) -> str:
    """Explain an exception whose message alone says enough."""
    for pattern, template in MESSAGES:
        if match := failure.matches(pattern):
            return template.format(*match.groups())
    return ""


def _article(kind: str) -> str:
    if kind == "NoneType":
        return "None"
    name = {"numpy.ndarray": "array", "ndarray": "array", "int": "integer"}.get(kind, kind)
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def _value_name(failure: Failure) -> str:
    node = failure.node
    return f"`{text_of(node.value)}`" if isinstance(node, ast.Attribute) and text_of(node.value) else "The value"


def explain_attribute(failure: Failure) -> str:
    """Explain an attribute that an object of the student's class does not have."""
    match = failure.matches(r"'(\w+)' object has no attribute '(\w+)'")
    if not match or "AttributeError" not in failure.kinds:
        return ""
    owner = failure.site.owner if failure.site else None
    if owner is None or type(owner).__name__ != match[1]:
        return ""
    names = [name for name in vars(owner) if not name.startswith("_")]
    near = get_close_matches(match[2], [*names, *dir(type(owner))], n=1, cutoff=0.7)
    if near:
        return f"The object has no `self.{match[2]}`. Did you mean `self.{near[0]}`?"
    return f"The object has no `self.{match[2]}` here: `__init__` has to set it, under the same name."


def _foreign_variable(site: Site, failure: Failure) -> str:
    """Return a sentence about a variable of the notebook that stands for one of the object's own, or ""."""
    if site.owner is None or failure.kinds[0] == "NameError":
        return ""
    statement = site.statement
    names = [node.id for node in ast.walk(statement) if isinstance(node, ast.Name)] if statement else []
    attributes = getattr(site.owner, "__dict__", {})
    for name in names:
        if name in attributes and site.is_global(name):
            return (
                f"`{name}` here is a variable of the notebook, with shape {shape_of(site.frame.f_globals[name])}; "
                f"the object's own is `self.{name}`."
            )
    return ""


def _loop_over_rows(site: Site) -> str:
    """Return a sentence about a name in the failing line that a loop takes from the first axis of an array, or ""."""
    used = {node.id for node in ast.walk(site.statement) if isinstance(node, ast.Name)} if site.statement else set()
    loops = ast.walk(site.function_node) if site.function_node else iter(())
    for loop in loops:
        if not isinstance(loop, (ast.For, ast.comprehension)):
            continue
        for target, source in _loop_pairs(loop.target, loop.iter):
            shape = site.shape(source)
            if isinstance(target, ast.Name) and target.id in used and shape and len(shape) > 2:
                array = text_of(source) or "the array"
                return f"`{target.id}` runs along the first axis of `{array}`, whose shape is {shape}."
    return ""


def _loop_pairs(target: ast.AST, source: ast.AST) -> list[tuple[ast.AST, ast.AST]]:
    """Return each name of a loop with what it runs through, also for zip and enumerate."""
    call = text_of(source.func) if isinstance(source, ast.Call) else ""
    if isinstance(source, ast.Call) and isinstance(target, ast.Tuple) and call in ("zip", "enumerate"):
        names = target.elts if call == "zip" else target.elts[1:]
        return list(zip(names, source.args, strict=False))
    return [(target, source)]


RULES: tuple[Callable[[Failure], str], ...] = (
    explain_none,
    explain_missing_name,
    explain_matrix_product,
    explain_broadcasting,
    explain_assignment,
    explain_truth_value,
    explain_unpacking,
    explain_arguments,
    explain_index,
    explain_key,
    explain_reshape,
    explain_joining,
    explain_number_of_axes,
    explain_called_value,
    explain_arithmetic,
    explain_type,
    explain_attribute,
    explain_by_message,
)
