"""Operators on expressions: transposes, products, sums, factors, signs, reductions, NumPy functions, comparisons.

Each yields Edits of a right answer. A sentence quotes the student's quantities where `Wording` can, and else says in
general terms what is wrong; it must be true of every answer with that output.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator

from autograde_tests.generated_mistakes.edits import COMMON, RARE, USUAL, Answer, Edit, expressions, replaced
from autograde_tests.generated_mistakes.wording import Wording

Operator = Callable[[Answer, Wording], Iterator[Edit]]
NOUNS = {
    "max": "maximum", "min": "minimum", "std": "standard deviation", "var": "variance", "cumsum": "cumulative sum",
}  # fmt: skip
OTHER_REDUCTION = {
    "sum": "mean", "mean": "sum", "max": "min", "min": "max", "argmax": "argmin", "argmin": "argmax", "std": "var",
    "var": "std", "cumsum": "sum",
}  # fmt: skip
ONES = "You start from ones where you should start from zeros."
ZEROS = "You start from zeros where you should start from ones."
OTHER_FUNCTIONS = (  # in a right answer, in its place, and what that is
    ("log", "log2", "You use the base-2 logarithm; it should be the natural one."),
    ("log", "log10", "You use the base-10 logarithm; it should be the natural one."),
    ("log2", "log", "You use the natural logarithm; it should be the one to base 2."),
    ("log2", "log10", "You use the base-10 logarithm; it should be the one to base 2."),
    ("exp", "exp2", "You use powers of 2; it should be powers of e, `np.exp`."),
    ("mean", "median", "You take the median; it should be the mean."),
    ("minimum", "maximum", "You use `np.maximum` where `np.minimum` belongs."),
    ("maximum", "minimum", "You use `np.minimum` where `np.maximum` belongs."),
    ("floor", "ceil", "You round up where you should round down."),
    ("ceil", "floor", "You round down where you should round up."),
    ("zeros", "ones", ONES),
    ("zeros_like", "ones_like", ONES),
    ("ones", "zeros", ZEROS),
    ("ones_like", "zeros_like", ZEROS),
    ("eye", "ones", "You start from a matrix of ones; it should be the identity."),
    ("eye", "zeros", "You start from a matrix of zeros; it should be the identity."),
)
GATES = ("i", "f", "g", "o", "r", "z")  # names that the lessons give to blocks of an LSTM or a GRU
OPTIONAL_CALLS = ("tanh", "exp", "log", "log2", "sqrt", "abs", "square", "diag", "clip", "maximum", "minimum")


def transposes(tree: Answer, wording: Wording) -> Iterator[Edit]:
    """Leave a transpose out, or transpose an operand of a matrix product."""
    for node in expressions(tree):
        if isinstance(node, ast.Attribute) and node.attr == "T":
            what = wording.quote(node.value)
            yield Edit(replaced(tree, node, node.value), f"{what or 'A matrix'} has to be transposed.", COMMON)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult):
            for side in (node.left, node.right):
                if not (isinstance(side, ast.Attribute) and side.attr == "T") and (what := wording.quote(side)):
                    flipped = ast.Attribute(side, "T", ast.Load())
                    yield Edit(replaced(tree, side, flipped), f"You use {what} transposed.", COMMON)


def transposed_arguments(tree: Answer, wording: Wording) -> Iterator[Edit]:
    """Hand a weight matrix transposed to another function."""
    for node in expressions(tree):
        if isinstance(node, ast.Call):
            for argument in node.args:
                if (what := wording.quote(argument)).strip("`").removeprefix("self.").startswith("W"):
                    flipped = ast.Attribute(argument, "T", ast.Load())
                    yield Edit(replaced(tree, argument, flipped), f"You use {what} transposed.", COMMON)


def substitutions(tree: Answer, wording: Wording) -> Iterator[Edit]:
    """Use one parameter in the place of another; shapes that do not fit end in errors, which are dropped."""
    for node in expressions(tree):
        if (name := wording.parameter(node)) and isinstance(node, ast.Name):
            for other, meaning in wording.names.items():
                if other != node.id:
                    wrong = replaced(tree, node, ast.Name(other, ast.Load()))
                    yield Edit(wrong, f"You use `{meaning}` where `{name}` belongs.", RARE)


def results(tree: Answer, wording: Wording) -> Iterator[Edit]:
    """Apply one function too many to the result."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Return) and node.value is not None and not isinstance(node.value, ast.Tuple):
            for name in ("tanh", "exp", "log", "abs", "sqrt", "square"):
                call = _numpy_call(name, node.value)
                yield Edit(replaced(tree, node.value, call), f"You apply `np.{name}` to the result.", RARE)
            negative = ast.UnaryOp(ast.USub(), node.value)
            yield Edit(replaced(tree, node.value, negative), "Your result has the wrong sign.", RARE)


def products(tree: Answer, wording: Wording) -> Iterator[Edit]:
    """Confuse the matrix product with the element-wise one, or the order of its operands."""
    for node in expressions(tree):
        if not isinstance(node, ast.BinOp):
            continue
        left_text, right_text = wording.quote(node.left), wording.quote(node.right)
        operands = f" of {left_text} and {right_text}" if left_text and right_text else ""
        if isinstance(node.op, ast.MatMult):
            wrong = replaced(tree, node, ast.BinOp(node.left, ast.Mult(), node.right))
            yield Edit(
                wrong,
                f"You take the element-wise product{operands} (`*`); it should be the matrix product, `@`.",
                COMMON,
            )
            for operand, dropped in ((node.left, right_text), (node.right, left_text)):
                what = wording.quote(operand)
                instead = (
                    f"You use {what} itself, not multiplied by {dropped}."
                    if what and dropped
                    else "A matrix product is missing."
                )
                yield Edit(replaced(tree, node, operand), instead, COMMON)
            wrong = replaced(tree, node, ast.BinOp(node.right, ast.MatMult(), node.left))
            swapped = f"You swap the operands of a matrix product: {left_text} comes before {right_text}."
            general = "In a matrix product the two operands are swapped, or one of them is transposed."
            yield Edit(wrong, swapped if operands else general)
        elif isinstance(node.op, ast.Mult):
            wrong = replaced(tree, node, ast.BinOp(node.left, ast.MatMult(), node.right))
            yield Edit(wrong, f"You take the matrix product{operands} (`@`); it should be element-wise, `*`.")


def terms(tree: Answer, wording: Wording) -> Iterator[Edit]:
    """Leave out a term of a sum, or give it the wrong sign."""
    for node in expressions(tree):
        if not (isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.Sub))):
            continue
        left_text, right_text = wording.quote(node.left), wording.quote(node.right)
        subtracted = isinstance(node.op, ast.Sub)
        missing = (
            f"You do not subtract {right_text or 'one of the terms'}."
            if subtracted
            else _leaving_out("term", right_text)
        )
        yield Edit(replaced(tree, node, node.left), missing, COMMON)
        remaining = ast.UnaryOp(ast.USub(), node.right) if subtracted else node.right
        yield Edit(replaced(tree, node, remaining), _leaving_out("term", left_text), COMMON)
        other = ast.Add() if subtracted else ast.Sub()
        verb = "add" if subtracted else "subtract"
        should = "subtract" if subtracted else "add"
        what = right_text or "a term"
        yield Edit(
            replaced(tree, node, ast.BinOp(node.left, other, node.right)),
            f"You {verb} {what} where you should {should} it.",
            COMMON,
        )
        if subtracted:
            order = f": it should be {left_text} minus {right_text}." if left_text and right_text else "."
            yield Edit(
                replaced(tree, node, ast.BinOp(node.right, ast.Sub(), node.left)),
                f"You subtract in the wrong order{order}", COMMON,
            )  # fmt: skip


def factors(tree: Answer, wording: Wording) -> Iterator[Edit]:
    """Leave out a factor, a divisor, a power or a sign."""
    for node in expressions(tree):
        if (
            isinstance(node, ast.UnaryOp)
            and isinstance(node.op, ast.USub)
            and not isinstance(node.operand, ast.Constant)
        ):
            yield Edit(replaced(tree, node, node.operand), "A minus sign is missing.", COMMON)
        if not isinstance(node, ast.BinOp):
            continue
        left_text, right_text = wording.quote(node.left), wording.quote(node.right)
        if isinstance(node.op, ast.Mult):
            yield Edit(replaced(tree, node, node.left), _leaving_out("factor", right_text), COMMON)
            yield Edit(replaced(tree, node, node.right), _leaving_out("factor", left_text), COMMON)
            yield Edit(
                replaced(tree, node, ast.BinOp(node.left, ast.Add(), node.right)),
                f"You add {right_text or 'a quantity'} where you should multiply by it.", RARE,
            )  # fmt: skip
        elif isinstance(node.op, (ast.Div, ast.FloorDiv)):
            yield Edit(
                replaced(tree, node, node.left),
                f"You do not divide by {right_text or 'the right number'}.",
                COMMON,
            )
            yield Edit(
                replaced(tree, node, ast.BinOp(node.left, ast.Mult(), node.right)),
                f"You multiply by {right_text or 'a number'} where you should divide by it.",
            )
            yield Edit(
                replaced(tree, node, ast.BinOp(node.right, ast.Div(), node.left)), "You divide the wrong way round: numerator and denominator are swapped.",
            )  # fmt: skip
        elif isinstance(node.op, ast.Pow):
            exponent = f" to the power {right_text.strip('`')}" if right_text else " to a power"
            yield Edit(
                replaced(tree, node, node.left), f"You do not raise {left_text or 'a quantity'}{exponent}.", COMMON
            )


def _leaving_out(kind: str, quoted: str) -> str:
    if quoted:
        return f"You leave out the {kind} {quoted}."
    return "You leave out one of the terms of a sum." if kind == "term" else "You leave out a factor."


def slopes(tree: Answer, wording: Wording) -> Iterator[Edit]:
    """Use a wrong derivative of tanh, 1 - h**2, or of the sigmoid, p (1 - p)."""
    for node in expressions(tree):
        if not (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub) and _is_one(node.left)):
            continue
        square = node.right
        if isinstance(square, ast.BinOp) and isinstance(square.op, ast.Pow):
            h = square.left
            derivative = "the derivative of tanh(a) is 1 - tanh(a)**2"
            yield Edit(
                replaced(tree, node, ast.BinOp(node.left, ast.Sub(), h)),
                f"You use 1 - tanh(a) as a slope; {derivative}.",
                COMMON,
            )
            yield Edit(
                replaced(tree, node, ast.Constant(1.0)), f"You leave out the slope of tanh: {derivative}.", COMMON
            )
            yield Edit(replaced(tree, node, square), f"You use tanh(a)**2 as a slope; {derivative}.")
            double_tanh = ast.BinOp(node.left, ast.Sub(), ast.BinOp(_numpy_call("tanh", h), ast.Pow(), ast.Constant(2)))
            yield Edit(
                replaced(tree, node, double_tanh),
                "You apply tanh once more to what is a state already: with h = tanh(a) the slope is 1 - h**2.",
                COMMON,
            )


def reductions(tree: Answer, wording: Wording) -> Iterator[Edit]:
    """Reduce over another axis, over all axes, without keepdims, or by another reduction."""
    for node in expressions(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        name = node.func.attr
        for keyword in node.keywords:
            if keyword.arg == "axis":
                yield from _other_axes(tree, node, keyword, name)
            if keyword.arg == "keepdims":
                yield Edit(
                    replaced(tree, node, _without(node, keyword)),
                    "Without `keepdims=True` the result of a reduction is combined with the wrong axis.", COMMON,
                )  # fmt: skip
            if keyword.arg == "ddof":
                yield Edit(replaced(tree, node, _without(node, keyword)), "You leave out `ddof`.")
        if other := OTHER_REDUCTION.get(name):
            changed = ast.Call(ast.Attribute(node.func.value, other, ast.Load()), node.args, node.keywords)
            yield Edit(
                replaced(tree, node, changed),
                f"You take the {_noun(other)} where it should be the {_noun(name)}.",
                COMMON,
            )
            if name in ("std", "var") and not any(keyword.arg == "ddof" for keyword in node.keywords):
                ddof = ast.Call(node.func, node.args, [*node.keywords, ast.keyword("ddof", ast.Constant(1))])
                yield Edit(
                    replaced(tree, node, ddof),
                    "You divide by n - 1 (`ddof=1`); here the mean over all n values is meant.",
                    COMMON,
                )
            if name in ("max", "min", "sum", "mean") and node.args[:1] and _is_numpy(node.func.value):
                yield Edit(replaced(tree, node, node.args[0]), f"You do not take the {_noun(name)}.")
            elif name in ("max", "min", "sum", "mean"):
                yield Edit(replaced(tree, node, node.func.value), f"You do not take the {_noun(name)}.")


def _other_axes(tree: Answer, call: ast.Call, keyword: ast.keyword, name: str) -> Iterator[Edit]:
    kind = {"stack": "stack", "concatenate": "join", "split": "split", "array_split": "split"}.get(name)
    doing = f"You {kind} along the wrong axis." if kind else f"You take the {_noun(name)} over the wrong axis."
    for axis in (0, 1, 2, -1):
        if ast.unparse(keyword.value) != str(axis):
            value = ast.Constant(axis) if axis >= 0 else ast.UnaryOp(ast.USub(), ast.Constant(-axis))
            yield Edit(replaced(tree, keyword.value, value), doing, COMMON)
    if not kind:
        over = f"You take the {_noun(name)} over all axes; it should run over one of them."
        if isinstance(keyword.value, ast.Tuple):
            over = f"You take the {_noun(name)} over too many axes."
            for single in keyword.value.elts:
                yield Edit(
                    replaced(tree, keyword.value, single),
                    f"You take the {_noun(name)} over too few axes.",
                    COMMON,
                )
        yield Edit(replaced(tree, call, _without(call, keyword)), over, COMMON)


def functions_of_numpy(tree: Answer, wording: Wording) -> Iterator[Edit]:
    """Use another function, apply none, apply it twice, or swap the choices of np.where."""
    for node in expressions(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and _is_numpy(node.func.value)):
            continue
        name = node.func.attr
        for other, sentence in ((other, sentence) for original, other, sentence in OTHER_FUNCTIONS if original == name):
            # np.ones and np.zeros take a shape, np.eye two sizes.
            args: list[ast.expr] = [ast.Tuple([node.args[0]] * 2, ast.Load())] if name == "eye" else node.args
            func = ast.Attribute(node.func.value, other, ast.Load())
            yield Edit(replaced(tree, node, ast.Call(func, args, node.keywords)), sentence, COMMON)
        if name in ("exp", "tanh", "logaddexp") and node.args:
            *first, last = node.args
            negated = ast.Call(node.func, [*first, ast.UnaryOp(ast.USub(), last)], node.keywords)
            yield Edit(replaced(tree, node, negated), f"Inside `np.{name}` the sign is wrong.", COMMON)
        if name in OPTIONAL_CALLS and node.args:
            yield Edit(replaced(tree, node, node.args[0]), f"You do not apply `np.{name}`.", COMMON)
            if name in ("tanh", "exp"):
                yield Edit(
                    replaced(tree, node, ast.Call(node.func, [node, *node.args[1:]], [])),
                    f"You apply `np.{name}` twice.",
                )
        if name == "where" and len(node.args) == 3:
            condition, chosen, otherwise = node.args
            yield Edit(
                replaced(tree, node, ast.Call(node.func, [condition, otherwise, chosen], [])),
                "Your condition is inverted: each of the two values is taken where the other one belongs.", COMMON,
            )  # fmt: skip
            yield Edit(replaced(tree, node, chosen), _without_condition(condition, wording), COMMON)
            yield Edit(replaced(tree, node, otherwise), _without_condition(condition, wording))


def _without_condition(condition: ast.expr, wording: Wording) -> str:
    used = {name for node in ast.walk(condition) if (name := wording.parameter(node))}
    if "mask" in used:
        return "You do not use the mask."
    return "You make no difference between the two cases of a condition."


def calls_of_parameters(tree: Answer, wording: Wording) -> Iterator[Edit]:
    """Do not apply a function that is passed as an argument, or apply it to one term only."""
    for node in expressions(tree):
        if isinstance(node, ast.Call) and (name := wording.parameter(node.func)) and len(node.args) == 1:
            yield Edit(replaced(tree, node, node.args[0]), f"You do not apply `{name}`.", COMMON)
            yield Edit(replaced(tree, node, ast.Call(node.func, [node], [])), f"You apply `{name}` twice.", COMMON)
            total = node.args[0]
            if isinstance(total, ast.BinOp) and isinstance(total.op, ast.Add):
                inner = ast.Call(node.func, [total.left], [])
                yield Edit(
                    replaced(tree, node, ast.BinOp(inner, ast.Add(), total.right)),
                    f"You add {wording.quote(total.right) or 'a term'} after `{name}`; it belongs inside.", COMMON,
                )  # fmt: skip


def comparisons(tree: Answer, wording: Wording) -> Iterator[Edit]:
    """Compare strictly or not, or the wrong way round."""
    strict = {ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt}
    turned = {ast.Lt: ast.Gt, ast.LtE: ast.GtE, ast.Gt: ast.Lt, ast.GtE: ast.LtE, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq}
    for node in expressions(tree):
        if isinstance(node, ast.Compare) and len(node.ops) == 1:
            kind = type(node.ops[0])
            if kind in strict:
                yield Edit(
                    replaced(tree, node, ast.Compare(node.left, [strict[kind]()], node.comparators)),
                    "You are off by one at a boundary: one too far, or one too few (`<` or `<=`?).",
                )
            if kind in turned:
                yield Edit(
                    replaced(tree, node, ast.Compare(node.left, [turned[kind]()], node.comparators)),
                    "A comparison is the wrong way round.",
                )


def parts_of_results(tree: Answer, wording: Wording) -> Iterator[Edit]:
    """Return results in another order, or swap two unpacked values."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Return) and isinstance(node.value, ast.Tuple) and len(node.value.elts) == 2:
            swapped = ast.Return(ast.Tuple(node.value.elts[::-1], ast.Load()))
            yield Edit(replaced(tree, node, swapped), "You return the two results in the wrong order.", COMMON)
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Tuple):
            names = node.targets[0].elts
            for first in range(len(names) - 1):
                order = list(names)
                order[first], order[first + 1] = order[first + 1], order[first]
                words = [ast.unparse(name) for name in names[first : first + 2]]
                are_gates = all(word.removeprefix("d") in GATES for word in words)
                what = f"the blocks {words[0]} and {words[1]}" if are_gates else "two of the values that you unpack"
                target = ast.Tuple(order, ast.Store())
                yield Edit(replaced(tree, node, ast.Assign([target], node.value)), f"You swap {what}.", USUAL)


def constants(tree: Answer, wording: Wording) -> Iterator[Edit]:
    """Use another constant, such as 1 in place of 2."""
    for node in expressions(tree):
        if isinstance(node, ast.Constant) and type(node.value) in (int, float) and node.value in (2, 0.5, 3, 4, 8):
            yield Edit(replaced(tree, node, ast.Constant(1)), f"You use 1 in place of {node.value}.", RARE)


def _noun(name: str) -> str:
    """Return what a function of NumPy is called in a sentence."""
    return NOUNS.get(name, name)


def _numpy_call(name: str, argument: ast.expr) -> ast.Call:
    return ast.Call(ast.Attribute(ast.Name("np", ast.Load()), name, ast.Load()), [argument], [])


def _without(call: ast.Call, keyword: ast.keyword) -> ast.Call:
    return ast.Call(call.func, call.args, [other for other in call.keywords if other is not keyword])


def _is_one(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value == 1


def _is_numpy(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "np"


EXPRESSIONS: tuple[Operator, ...] = (
    transposes,
    transposed_arguments,
    products,
    slopes,
    terms,
    factors,
    reductions,
    functions_of_numpy,
    calls_of_parameters,
    comparisons,
    parts_of_results,
    constants,
    substitutions,
    results,
)
