"""What is said about how a wrong answer's results relate to the right ones, and that it is never untrue."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from rnn_helpers.checks.evaluator import Case, judge
from rnn_helpers.checks.execution import Outcome
from rnn_helpers.checks.fixtures import decode_task, find
from rnn_helpers.checks.relations import describe_relation

TOLERANCE = 1e-8
RNG = np.random.default_rng(7)
XS, OTHER_XS = RNG.normal(size=(3, 5, 2)), RNG.normal(size=(2, 4, 2))
MASK = np.array([[True] * 5, [True] * 3 + [False] * 2, [True] * 4 + [False]])
OTHER_MASK = np.array([[True] * 2 + [False] * 2, [True] * 4])
HS, OTHER_HS = RNG.normal(size=(3, 5, 6)), RNG.normal(size=(2, 4, 6))
P = np.exp(HS) / np.exp(HS).sum(axis=-1, keepdims=True)
SCALARS = [Case(f"loss {n}", (RNG.normal(size=(n, 4)),), float(n + 0.37 * n**2)) for n in (2, 3, 5)]


def relation(change: Callable[[Any], Any], *expected: Any, args: tuple = ((XS,), (OTHER_XS,))) -> str:
    """Return the sentence for results that are `change(expected)`, one case for each expected output."""
    cases = [Case(str(n), args[n], value) for n, value in enumerate(expected)]
    return describe_relation(cases, [Outcome(change(value)) for value in expected], TOLERANCE, ["xs"])


ELEMENT_WISE = [
    (lambda h: h / np.log(2), "Your result is the right one times 1.4427, which is 1 / ln 2: "),
    (lambda h: h * np.log(2), "Your result is the right one times 0.6931, which is ln 2: "),
    (lambda h: -h, "Your result has the wrong sign: it is minus the right one."),
    (lambda h: 2 * h, "Your result is twice the right one."),
    (lambda h: h / 2, "Your result is half the right one."),
    (lambda h: 7.25 * h, "Your result is the right one times 7.25."),
    (lambda h: h * len(h), "Your result is the right one times the number of sequences."),
    (lambda h: h / h.shape[1], "Your result is the right one divided by the number of steps."),
    (lambda h: h + 0.5, "Your result is the right one plus 0.5 everywhere."),
    (lambda h: h - 3, "Your result is the right one minus 3 everywhere."),
    (lambda h: 0 * h, "Your result is zero everywhere."),
    (np.exp, "The logarithm of your result is the right one."),
    (np.tanh, "Your result is the tanh of the right one."),
    (np.abs, "Your result is the absolute value of the right one."),
    (lambda h: 1 - h, "Your result is 1 minus the right one."),
    (lambda h: np.swapaxes(h, 0, 1), "Your result is the right one with axes 0 and 1 exchanged."),
    (lambda h: np.swapaxes(h, 1, 2), "Your result is the right one with axes 1 and 2 exchanged."),
    (lambda h: h.reshape(len(h), -1), "Your numbers are correct, but in the shape (3, 30)."),
    (lambda h: np.roll(h, 1, axis=1), "Your result is the right one, one time step too late."),
    (lambda h: np.roll(h, -1, axis=1), "Your result is the right one, one time step too early."),
    (lambda h: h[:, ::-1], "Your result is the right one with its time steps in reverse order."),
    (lambda h: h[::-1], "Your result is the right one with its rows in reverse order."),
    (lambda h: h[:, -1], "Your result is the last step of the right one; all steps are asked for."),
    (lambda h: h[:, :-1], "Your result lacks the last step; the others are correct."),
    (lambda h: h[:, 1:], "Your result lacks the first step; the others are correct."),
    (
        lambda h: np.concatenate([h[:, :1] - 1, h], axis=1),
        "Your result begins with one step too many; after it, all steps are correct.",
    ),
    (
        lambda h: np.swapaxes(h, 0, 1).reshape(h.shape),
        "Your result has the right numbers, but not in the right places.",
    ),
    (
        lambda h: np.concatenate(list(np.swapaxes(h, 0, 1))),
        "Your result has the right numbers, but neither in the right shape nor in the right order.",
    ),
    (lambda h: np.repeat(h[:1], len(h), axis=0), "Your result is right for the first sequence only."),
    (
        lambda h: np.concatenate([h[:, :1], 1 + h[:, 1:]], axis=1),
        "Your result is right at the first time step and wrong from the second on.",
    ),
    (
        lambda h: np.concatenate([h[:, :-1], 1 + h[:, -1:]], axis=1),
        "Your result is right except at the last time step.",
    ),
    (
        lambda h: np.concatenate([h[:, :1] + 1, h[:, 1:]], axis=1),
        "Your result is right except at the first time step.",
    ),
    (
        lambda h: h * np.linspace(1.2, 2, h.shape[0] * h.shape[1]).reshape(*h.shape[:2], 1),
        "Each row of your result is the right row times a factor of its own.",
    ),
    (
        lambda h: h / np.arange(2, len(h) + 2).reshape(-1, 1, 1),
        "At each index of the first axis, your result is the right one times a factor of its own: 0.5, 0.333, 0.25.",
    ),
]


@pytest.mark.parametrize(("change", "sentence"), ELEMENT_WISE, ids=[sentence for _, sentence in ELEMENT_WISE])
def test_a_relation_is_described(change: Callable, sentence: str) -> None:
    assert relation(change, HS, OTHER_HS).startswith(sentence)


def test_a_softmax_that_is_missing_or_too_many_is_described() -> None:
    logits = HS - HS.mean(axis=-1, keepdims=True)
    assert relation(lambda _: logits, P) == "The softmax over the last axis of your result is the right one."
    assert relation(lambda _: P, logits) == "Your result is the softmax over the last axis of the right one."


def test_the_transpose_is_described() -> None:
    assert relation(np.transpose, HS[0], args=((XS,),)) == "Your result is the transpose of the right one."


def test_an_axis_that_was_not_summed_over_is_described() -> None:
    da = RNG.normal(size=(4, 3))
    assert relation(lambda _: da, da.sum(axis=0)) == "Summed over axis 0, your result is the right one."
    assert relation(lambda _: da, da.mean(axis=0)) == "The mean of your result over axis 0 is the right one."


def test_an_input_that_is_returned_is_named() -> None:
    cases = [Case("a", (HS, XS), XS + 1)]
    assert describe_relation(cases, [Outcome(XS.copy())], TOLERANCE, ["hs", "xs=None"]) == (
        "Your result equals the input xs."
    )


def test_padded_steps_are_told_from_real_ones() -> None:
    args = ((XS, MASK), (OTHER_XS, OTHER_MASK))
    masks = {id(HS): MASK, id(OTHER_HS): OTHER_MASK}
    assert relation(lambda h: h * masks[id(h)][..., None], HS, OTHER_HS, args=args) == (
        "Your result is right at all real steps and wrong at padded ones, where the mask is False."
    )
    assert relation(lambda h: h[masks[id(h)]], HS, OTHER_HS, args=args) == (
        "Your result has only the real steps, one below the other; the padded ones are asked for, too."
    )
    assert relation(lambda h: h + (~masks[id(h)].all(axis=1))[:, None, None] * HS[0, 0], HS, OTHER_HS, args=args) == (
        "Your result is right for the sequences without padding and wrong for those with padding."
    )


@pytest.mark.parametrize(
    ("factor", "sentence"),
    [
        (lambda case: 1 / np.log(2), "Your result is the right one times 1.4427, which is 1 / ln 2: "),
        (lambda case: len(case.args[0]), "Your result is the right one times the number of rows."),
        (lambda case: 1 / len(case.args[0]), "Your result is the right one divided by the number of rows."),
    ],
)
def test_single_numbers_are_related_over_several_checks(factor: Callable, sentence: str) -> None:
    outcomes = [Outcome(factor(case) * case.expected) for case in SCALARS]
    assert describe_relation(SCALARS, outcomes, TOLERANCE).startswith(sentence)
    assert describe_relation(SCALARS[:1], outcomes[:1], TOLERANCE) == ""


def test_the_only_wrong_part_is_named_and_described() -> None:
    want = {"dW_xh": HS[0], "db_h": HS[1, 0], "dW_hh": HS[2]}
    case = Case("all", (XS,), want)
    assert describe_relation([case], [Outcome(want | {"dW_hh": HS[2].T})], TOLERANCE) == (
        "dW_xh and db_h are correct; only dW_hh is wrong: it is the transpose of the right one."
    )
    assert describe_relation([case], [Outcome(want | {"dW_hh": HS[0] + HS[2] ** 2})], TOLERANCE) == (
        "dW_xh and db_h are correct; only dW_hh is wrong."
    )
    pair = Case("two", (XS,), (HS, OTHER_HS))
    assert describe_relation([pair], [Outcome((2 * HS, OTHER_HS))], TOLERANCE) == (
        "The second value is correct; only the first value is wrong: it is twice the right one."
    )
    assert describe_relation([pair], [Outcome((OTHER_HS, HS))], TOLERANCE) == (
        "Your two results are correct, but in the wrong order."
    )
    triples = [Case(str(n), (XS,), (0.5 + n, HS[n, 0], 3.0 * n)) for n in (1, 2)]
    others = [Outcome((case.expected[2], case.expected[1], case.expected[0])) for case in triples]
    assert describe_relation(triples, others, TOLERANCE) == (
        "Your results are correct, but the first value and the third value have changed places."
    )
    turned = [Outcome((*case.expected[1:], case.expected[0])) for case in triples]
    assert describe_relation(triples, turned, TOLERANCE) == "Your results are correct, but in the wrong order."
    assert describe_relation(triples, [others[0], turned[1]], TOLERANCE) == ""


def test_checks_that_pass_are_told_apart() -> None:
    cases = [Case("one", (XS,), HS), Case("two", (OTHER_XS,), OTHER_HS), Case("three", (XS,), HS + 1)]
    first_passes = [Outcome(HS), Outcome(2 * OTHER_HS), Outcome(2 * (HS + 1))]
    assert describe_relation(cases, first_passes, TOLERANCE) == (
        "In each check that fails, your result is twice the right one."
    )
    assert describe_relation(cases[:2], first_passes[:2], TOLERANCE) == (
        "In the check that fails, your result is twice the right one."
    )
    overflow = [Outcome(HS * np.nan), *first_passes[1:]]
    assert describe_relation(cases, overflow, TOLERANCE) == (
        "In each check that fails without nan or inf in your result, your result is twice the right one."
    )


UNRELATED = [
    ("another array", lambda h: RNG.normal(size=h.shape)),
    ("a relation in one check only", lambda h: 2 * h if h is HS else 3 * h + 1),
    ("None", lambda h: None),
    ("a string", lambda h: "hs"),
    ("a ragged list", lambda h: [[1.0], [1.0, 2.0]]),
    ("NaN", lambda h: h * np.nan),
    ("an empty array", lambda h: h[:0]),
    ("complex numbers", lambda h: 2j * h),
    ("a dict", lambda h: {"hs": h}),
]


@pytest.mark.parametrize("change", [pytest.param(change, id=name) for name, change in UNRELATED])
def test_where_there_is_no_relation_nothing_is_said(change: Callable) -> None:
    assert relation(change, HS, OTHER_HS) == ""


@pytest.mark.parametrize(
    "want",
    [np.zeros((3, 4)), np.ones((3, 4)), np.array([2.0]), np.zeros((0, 3)), 1.5, True, "word", [], {}],
    ids=repr,
)
def test_outputs_that_show_nothing_get_no_relation(want: Any) -> None:
    got = np.full(np.shape(want), 5.0) if isinstance(want, np.ndarray) else 3.0
    assert describe_relation([Case("a", (XS,), want)], [Outcome(got)], TOLERANCE) == ""


def test_an_error_gets_no_relation() -> None:
    cases = [Case("a", (XS,), HS), Case("b", (XS,), HS)]
    assert describe_relation(cases, [Outcome(2 * HS), Outcome(error="ValueError")], TOLERANCE) == ""


def test_the_report_states_a_relation_where_no_known_mistake_matches() -> None:
    task = decode_task("jacobian", find("jacobian")[1])
    report = judge(lambda h_t, W_hh: 7 * np.diag(1 - h_t**2) @ W_hh.T, task)
    assert (report.mistake, report.relation) == ("", "Your result is the right one times 7.")
    known = judge(lambda h_t, W_hh: np.diag(1 - h_t**2) @ W_hh, task)
    assert known.mistake
    assert known.relation == ""
