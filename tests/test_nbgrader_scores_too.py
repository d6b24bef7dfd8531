"""The tests of test_nbgrader_scores.py, all of them, for the lessons that it leaves."""

from __future__ import annotations

import pytest
from nbgrader_students import SHORT
from test_nbgrader_scores import *  # noqa: F403


@pytest.fixture(scope="module", params=SHORT[1::2])
def lesson(request) -> str:
    return request.param
