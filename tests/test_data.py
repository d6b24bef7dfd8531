"""The data are what they say they are."""

from __future__ import annotations

import numpy as np
import pytest

from rnn_helpers import data


def test_the_nile_has_a_hundred_years_and_falls_after_1898() -> None:
    years, flow = data.nile()
    assert years.tolist() == list(range(1871, 1971))
    assert (flow[0], flow[-1]) == (1120, 740)
    assert flow[years <= 1898].mean() == pytest.approx(1097.75)  # Cobb (1978): 1098 before, 850 after
    assert flow[years > 1898].mean() == pytest.approx(849.97, abs=0.01)


def test_every_table_names_its_source_and_licence() -> None:
    tables = list(data.TABLES.glob("*.csv"))
    assert tables
    for table in tables:
        head = table.read_text(encoding="utf-8")[:400]
        assert "Source:" in head
        assert "ublic domain" in head or "licence" in head.lower()


def test_the_zen_has_nineteen_lines_and_prints_nothing(capsys) -> None:
    lines = data.zen_lines()
    assert len(lines) == 19
    assert lines[0] == "Beautiful is better than ugly."
    assert capsys.readouterr().out == ""


def test_one_hot_puts_a_single_one_in_each_row() -> None:
    assert data.one_hot("ba", "abc").tolist() == [[0, 1, 0], [1, 0, 0]]
    assert np.all(data.one_hot("cab", "abc").sum(axis=1) == 1)


def test_one_hot_names_the_character_it_does_not_know() -> None:
    with pytest.raises(ValueError, match="has no 'z'"):
        data.one_hot("az", "abc")
