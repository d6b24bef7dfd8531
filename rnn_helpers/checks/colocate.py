"""Call a function in the process where the answer lives: this one or, during grading, that of the submission."""

from __future__ import annotations

import importlib
from typing import Any


def run_colocated(answer: Any, reference: str, *args: Any) -> Any:
    """Call the function named by `reference`, "module:name", in the process that `answer` belongs to.

    Whatever it creates there (a layer, a seed, a file) is visible to the answer. Its result is as trustworthy as the
    answer itself: numbers to be compared, never a verdict.
    """
    call_in_submission = getattr(type(answer), "_call_colocated", None)
    if call_in_submission:  # the answer is a proxy of an object in the submission's process
        return call_in_submission(answer, reference)(*args)
    module, _, name = reference.partition(":")
    return getattr(importlib.import_module(module), name)(*args)
