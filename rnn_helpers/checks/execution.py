"""Call an answer on copies of the inputs and record everything that is observable from outside."""

from __future__ import annotations

import contextlib
import copy
import io
import re
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from types import FrameType
from typing import Any

import numpy as np

from rnn_helpers.checks.colocate import run_colocated
from rnn_helpers.checks.designed_networks import DESIGNED_NETWORKS
from rnn_helpers.checks.findings import FINDING
from rnn_helpers.checks.properties import PROPERTIES, UngradableAnswerError

NOT_REACHED = "not examined yet"  # for a claim that the probe did not reach
PRINTED_LIMIT = 600  # characters of a student's own output that a card repeats


@dataclass
class Outcome:
    """The observable outcome of one call of an answer.

    value: what it returned (None when it raised)
    error: the exception's class name, "" when there was none
    changed: positions of the function's arguments that the call changed
    message, line: the exception's text and the student's line that raised it
    explanation: what the exception means, in one or two sentences, or ""
    printed: what it wrote to stdout and stderr, warnings included
    used: the first function it used that the exercise does not allow
    observed: claim -> what was observed instead, if many claims evaluate one call
    finding: what a probe has measured about a wrong model, a sentence of rnn_helpers.checks.findings
    """

    value: Any = None
    error: str = ""
    changed: tuple[int, ...] = ()
    message: str = ""
    line: str = ""
    explanation: str = ""
    printed: str = ""
    used: str = ""
    observed: dict[str, str] = field(default_factory=dict)
    finding: str = ""


def call(answer: Callable, *args: Any) -> Any:
    """Call a function on its arguments."""
    return answer(*args)


def use_network(answer: Callable, sizes: tuple, weights: dict, calls: dict[str, tuple]) -> dict[str, Any]:
    """Build a network, set its attributes to `weights`, and return {label: the result of (method, *args)}."""
    network = answer(*sizes, np.random.default_rng(0))
    for name, value in weights.items():
        setattr(network, name, value)
    return {label: getattr(network, method)(*args) for label, (method, *args) in calls.items()}


def part(answer: Callable, key: str, *args: Any) -> Any:
    """Call a function that returns a dict and return one of its values, so that each can earn its own points."""
    return _dict_item(answer(*args), key)


def _dict_item(result: Any, key: str) -> Any:
    if not isinstance(result, dict) or key not in result:
        actual = f"the keys {sorted(map(str, result))}" if isinstance(result, dict) else f"{type(result).__name__}"
        raise UngradableAnswerError(f"expected a dict with the key {key!r}, got {actual}")
    return result[key]


def function_arguments(probe: str, args: tuple) -> tuple:
    """Return those of `args` that are passed to the answer as its own arguments; a class gets none that way.

    In place of a layer stands what it is built from.
    """
    return {"call": args, "part": args[1:], "with_layer": args, "into_layer": args[1:]}.get(probe, ())


PROBES: dict[str, Callable] = {
    "call": call,
    "part": part,
    "use_network": use_network,
    **PROPERTIES,
    **DESIGNED_NETWORKS,
}


def _probe(name: str) -> Callable:
    """Return the probe called `name`; those for Keras are imported on demand, because they import TensorFlow."""
    if name in PROBES:
        return PROBES[name]
    from rnn_helpers.checks.keras_probes import MODEL_PROBES

    return MODEL_PROBES[name]


def execute(answer: Callable, args: tuple, probe: str = "call", not_allowed: tuple[str, ...] = ()) -> Outcome:
    """Call `answer` on a copy of `args` and return the Outcome; only KeyboardInterrupt and SystemExit propagate.

    probe: a name in PROBES, how the answer is called
    not_allowed: modules or functions which the answer may not run, such as "keras"
    """
    call_probe, copied_args = _probe(probe), copy.deepcopy(args)
    outcome, text = Outcome(), io.StringIO()
    with (
        warnings.catch_warnings(record=True) as warned,
        contextlib.redirect_stdout(text),
        contextlib.redirect_stderr(text),
    ):
        warnings.simplefilter("default")
        warnings.simplefilter("ignore", DeprecationWarning)  # between libraries: a learner cannot act on it
        try:
            if probe in ("call", "part"):  # the usual case: one round trip to the answer's process instead of several
                arguments = function_arguments(probe, copied_args)
                outcome.value, used, failure = run_colocated(
                    answer, f"{__name__}:call_monitored", not_allowed, answer, *arguments
                )
                if failure:
                    outcome.error, outcome.message, outcome.line, outcome.explanation = map(str, failure)
                elif probe == "part":
                    outcome.value = _dict_item(outcome.value, copied_args[0])
            else:
                if not_allowed:
                    monitor = run_colocated(answer, f"{__name__}:CallMonitor", not_allowed)
                else:
                    monitor = CallMonitor(not_allowed)
                with monitor:
                    outcome.value = call_probe(answer, *copied_args)
                used = monitor.used
            outcome.used = str(used)
        except Exception as error:  # any exception becomes a sentence for the student
            outcome.error, outcome.message, outcome.line, outcome.explanation = _describe_error(error, answer)
    text.writelines(dict.fromkeys(f"{warning.category.__name__}: {warning.message}\n" for warning in warned))
    outcome.printed = _truncate_output(text.getvalue())
    pairs = zip(function_arguments(probe, args), function_arguments(probe, copied_args), strict=True)
    outcome.changed = tuple(i for i, (old, new) in enumerate(pairs) if _is_changed(old, new))
    return outcome


def execute_claims(
    answer: Callable, args: tuple, probe: str, claims: dict[str, list[str]], not_allowed: tuple[str, ...] = ()
) -> list[Outcome]:
    """Call `answer` once and return an Outcome for each title, whose value maps each claim to whether it holds.

    claims: title -> claims; the probe returns {claim: "" where it holds, else what was observed instead}, and may
        return a finding under FINDING
    """
    outcome = execute(answer, args, probe, not_allowed)
    if outcome.error:
        return [outcome for _ in claims]
    outcomes, finding = [], outcome.value.get(FINDING, "")
    for names in claims.values():
        observed = {claim: outcome.value.get(claim, NOT_REACHED) for claim in names}
        value = {claim: not text for claim, text in observed.items()}
        outcomes.append(replace(outcome, value=value, observed=observed, finding=finding))
    return outcomes


class CallMonitor:
    """Context manager that records in `used` the first function of a `not_allowed` module that is called.

    This helps honest students and proves nothing: the monitored code can turn it off. Exercises that are written
    from scratch are graded where these modules cannot be imported.
    """

    def __init__(self, not_allowed: tuple[str, ...]):
        self.not_allowed = not_allowed
        self.used = ""
        self.previous: Any = None

    def __enter__(self) -> CallMonitor:
        if self.not_allowed:
            self.previous = sys.getprofile()
            sys.setprofile(self._watch)
        return self

    def __exit__(self, *_error: object) -> None:
        if self.not_allowed:
            sys.setprofile(self.previous)

    def _watch(self, frame: FrameType, event: str, _argument: Any) -> None:
        if event == "call" and not self.used:
            function = f"{frame.f_globals.get('__name__', '')}.{frame.f_code.co_qualname}."
            self.used = next((name for name in self.not_allowed if function.startswith(name + ".")), "")


def call_monitored(
    not_allowed: tuple[str, ...], answer: Callable, *args: Any
) -> tuple[Any, str, tuple[str, ...] | None]:
    """Return the result of `answer(*args)`, the module in `not_allowed` that it used, and its exception described.

    The exception is described here, where its frames are: in another process only its text would be left.
    """
    with CallMonitor(not_allowed) as monitor:
        try:
            value, error = answer(*args), None
        except Exception as raised:
            value, error = None, raised
    return value, monitor.used, None if error is None else _describe_error(error, answer)


def _describe_error(error: Exception, answer: Any) -> tuple[str, str, str, str]:
    """Return the name of an exception's class, its message, the student's line and an explanation."""
    from rnn_helpers.checks.explanations import clean, explain  # only a wrong answer needs it

    try:
        message = clean(str(error))
    except Exception:  # of a __str__ of the student's
        message = ""
    explanation = explain(error, answer)
    return type(error).__name__, message, explanation.line, explanation.sentence


def _truncate_output(text: str) -> str:
    """Return the output without colours and overwritten progress bars, cut to PRINTED_LIMIT characters."""
    text = re.sub(r"\x1b\[[0-9;]*[A-Za-z]|[^\n]*[\r\b](?!\n)", "", text)
    return text if len(text) <= PRINTED_LIMIT else text[:PRINTED_LIMIT] + " … (and more)"


def _is_changed(old: Any, new: Any) -> bool:
    if isinstance(old, np.ndarray):
        return old.dtype != new.dtype or old.shape != new.shape or not np.array_equal(old, new, equal_nan=True)
    if isinstance(old, (list, tuple)):
        return len(old) != len(new) or any(_is_changed(a, b) for a, b in zip(old, new, strict=True))
    if isinstance(old, dict):
        return old.keys() != new.keys() or any(_is_changed(old[key], new[key]) for key in old)
    return isinstance(old, (int, float)) and (type(old) is not type(new) or old != new)
