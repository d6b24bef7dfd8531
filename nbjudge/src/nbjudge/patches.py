"""Check cells' nbgrader labels without checking, for each cell anew, that nbgrader's schema is a schema."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from types import SimpleNamespace
from typing import Any

from jsonschema.exceptions import best_match
from jsonschema.protocols import Validator
from jsonschema.validators import validator_for
from nbgrader.nbgraderformat import common

from nbjudge.environment import instead


@contextmanager
def schema_checked_once() -> Iterator[None]:
    """Let nbgrader keep what jsonschema has made of a schema; the same labels are well, with the same errors."""
    with instead(common, jsonschema=SimpleNamespace(validate=_validate)):
        yield


def _validate(label: Any, schema: Mapping[str, Any]) -> None:
    """Do what jsonschema.validate does. Raises its ValidationError."""
    error = best_match(_validator(json.dumps(schema)).iter_errors(label))
    if error is not None:
        raise error


@cache
def _validator(schema: str) -> Validator:
    loaded = json.loads(schema)
    made = validator_for(loaded)
    made.check_schema(loaded)
    return made(loaded)
