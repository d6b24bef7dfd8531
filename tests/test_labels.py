"""Labels are held to nbgrader's schema as nbgrader does it, only faster; what is set for a while is set back."""

from __future__ import annotations

from typing import Any

import nbgrader.api
import pytest
from nbformat.v4 import new_code_cell, new_notebook
from nbgrader.api import Base
from nbgrader.nbgraderformat import MetadataValidator, ValidationError, common

from nbjudge.patches import cache_engine, cache_schema_validators

LABEL: dict[str, Any] = {"schema_version": 3, "grade": True, "solution": False, "locked": True, "task": False}
LABEL |= {"grade_id": "double_test", "points": 4}
WRONG: list[dict[str, Any]] = [
    {"points": "four"},
    {"points": -1},
    {"grade": "yes"},
    {"grade_id": "no spaces"},
    {"locked": None, "points": []},
]


def complaint(label: dict[str, Any]) -> str:
    notebook = new_notebook(cells=[new_code_cell("1", metadata={"nbgrader": label})])
    with pytest.raises(ValidationError) as caught:
        MetadataValidator().validate_nb(notebook)
    return str(caught.value)


def test_a_good_label_is_well():
    with cache_schema_validators():
        MetadataValidator().validate_nb(new_notebook(cells=[new_code_cell("1", metadata={"nbgrader": LABEL})]))


@pytest.mark.parametrize("change", WRONG, ids=str)
def test_a_wrong_label_gets_nbgraders_own_complaint(change):
    by_nbgrader = complaint({**LABEL, **change})
    with cache_schema_validators():
        assert complaint({**LABEL, **change}) == by_nbgrader


def test_after_an_error_everything_is_as_before():
    before = common.jsonschema, nbgrader.api.create_engine, nbgrader.api.inspect
    with pytest.raises(AttributeError), cache_engine(), cache_schema_validators():
        Base.metadata.create_all(bind=None).tables  # noqa: B018  (nothing is made for a while, and None has no tables)
    assert (common.jsonschema, nbgrader.api.create_engine, nbgrader.api.inspect) == before
    memory = nbgrader.api.create_engine("sqlite://")
    Base.metadata.create_all(bind=memory)
    assert nbgrader.api.inspect(memory).has_table("grade")
