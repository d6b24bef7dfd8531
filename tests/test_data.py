"""The data are what they say they are."""

from __future__ import annotations

from calendar import monthrange

import numpy as np
import pytest

from rnn_helpers import data


def test_the_nile_has_a_hundred_years_and_falls_after_1898() -> None:
    years, flow = data.nile()
    assert years.tolist() == list(range(1871, 1971))
    assert (flow[0], flow[-1]) == (1120, 740)
    assert flow[years <= 1898].mean() == pytest.approx(1097.75)  # Cobb (1978): 1098 before, 850 after
    assert flow[years > 1898].mean() == pytest.approx(849.97, abs=0.01)


def test_the_sunspots_have_every_month_from_1749_to_1983() -> None:
    months, numbers = data.sunspots()
    assert months.shape == numbers.shape == (2820,)
    assert numbers.dtype == float
    assert months == pytest.approx(1749 + (np.arange(2820) + 0.5) / 12)
    assert (numbers[0], numbers[-1]) == (58.0, 33.4)
    assert numbers.min() == 0
    assert numbers.max() == 253.8
    assert months[numbers.argmax()] == pytest.approx(1957 + 9.5 / 12)  # October 1957, the highest month on this scale


@pytest.mark.parametrize(
    ("year", "published"), [(1749, 80.9), (1800, 14.5), (1816, 45.8), (1900, 9.5), (1923, 5.8), (1983, 66.6)]
)
def test_the_sunspots_agree_with_the_published_yearly_means(year: int, published: float) -> None:
    months, numbers = data.sunspots()
    assert numbers[np.floor(months) == year].mean() == pytest.approx(published, abs=0.06)  # both are rounded to 0.1


@pytest.mark.parametrize(("year", "published"), [(1947, 151.6), (1957, 190.2), (1958, 184.8)])
def test_around_1950_the_published_yearly_means_are_over_days(year: int, published: float) -> None:
    months, numbers = data.sunspots()
    days = [monthrange(year, month)[1] for month in range(1, 13)]
    mean = np.average(numbers[np.floor(months) == year], weights=days)
    assert mean == pytest.approx(published, abs=0.06)


def test_the_sunspots_come_back_after_ten_to_eleven_years() -> None:
    yearly = data.sunspots()[1].reshape(-1, 12).mean(axis=1)
    centred = yearly - yearly.mean()
    correlation = [centred[lag:] @ centred[:-lag] / (centred @ centred) for lag in range(1, 21)]
    best = max(range(5, 21), key=lambda lag: correlation[lag - 1])
    assert best in (10, 11)
    assert correlation[best - 1] > 0.5
    assert correlation[5 - 1] < -0.3  # half a cycle away


def test_the_co2_has_every_month_from_1965_to_2001() -> None:
    months, ppm = data.co2()
    assert months.shape == ppm.shape == (444,)
    assert months == pytest.approx(1965 + (np.arange(444) + 0.5) / 12)
    assert (ppm[0], ppm[-1]) == (319.40, 371.02)
    assert (ppm.min(), ppm.max()) == (317.34, 373.80)
    assert months[ppm.argmax()] == pytest.approx(2001 + 4.5 / 12)


def test_the_co2_peaks_in_may_is_lowest_in_autumn_and_rises_every_year() -> None:
    yearly = data.co2()[1].reshape(-1, 12)
    highest, lowest = yearly.argmax(axis=1) + 1, yearly.argmin(axis=1) + 1
    assert set(highest) == {4, 5}
    assert np.sum(highest == 5) == 34  # of 37 years
    assert set(lowest) == {9, 10}
    rise = np.diff(yearly.mean(axis=1))
    assert rise.min() > 0.5
    assert rise.mean() == pytest.approx(1.41, abs=0.01)
    assert 1965 + 1 + rise.argmax() == 1998  # after the El Niño of 1997


@pytest.mark.parametrize(
    ("year", "month", "published"),
    [(1965, 5, 322.00), (1970, 1, 324.89), (1980, 10, 335.84), (1990, 5, 357.00), (1997, 1, 363.23), (1997, 9, 360.24)],
)
def test_the_co2_agrees_with_the_published_monthly_means(year: int, month: int, published: float) -> None:
    ppm = data.co2()[1].reshape(-1, 12)[year - 1965, month - 1]
    # Keeling and Whorf (1997), as in R's `co2`, an earlier calibration; means over days, not weeks.
    assert ppm == pytest.approx(published, abs=0.25)


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


def test_the_manual_says_nothing_twice() -> None:
    text = data.python_manual(10**6)
    assert len(text) > 290_000
    assert set(text) <= set(" ,.abcdefghijklmnopqrstuvwxyz")
    held_out = text[-20_000:]
    repeated = [held_out[i : i + 200] in text[:-20_000] for i in range(0, 19_800, 200)]
    assert sum(repeated) <= 2  # of 99 stretches


def test_one_hot_puts_a_single_one_in_each_row() -> None:
    assert data.one_hot("ba", "abc").tolist() == [[0, 1, 0], [1, 0, 0]]
    assert np.all(data.one_hot("cab", "abc").sum(axis=1) == 1)


def test_one_hot_names_the_character_it_does_not_know() -> None:
    with pytest.raises(ValueError, match="has no 'z'"):
        data.one_hot("az", "abc")
