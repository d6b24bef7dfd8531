"""The numbers that lesson 00 states: its network, its unit, and the Nile."""

from __future__ import annotations

import numpy as np
import pytest
from lesson_code import definitions, notebook

from rnn_helpers import data, storyteller
from rnn_helpers.plots import DENSITY, new_axes, picture

PROSE = "\n".join(c.source for c in notebook("lessons", "00_start_here").cells if c.cell_type == "markdown")


@pytest.fixture(scope="module")
def network() -> storyteller.Network:
    return storyteller.load()


@pytest.fixture(scope="module")
def held_out() -> str:
    text = data.alice()
    return text[int(len(text) * (1 - storyteller.HELD_OUT)) :]


@pytest.fixture(scope="module")
def states(network, held_out):
    return storyteller.read(network, held_out)


def test_the_weights_are_small_and_the_network_has_the_units_of_the_text(network) -> None:
    assert storyteller.WEIGHTS.stat().st_size <= 200_000
    assert network.W_hh.shape == (256, 256)
    assert "256 numbers" in PROSE


def test_one_seed_writes_one_story(network) -> None:
    first = storyteller.write(network, 50, seed=1)
    assert first == storyteller.write(network, 50, seed=1)
    assert first != storyteller.write(network, 50, seed=2)


def test_the_unit_follows_quotations_of_unseen_text_as_closely_as_stated(network, held_out, states) -> None:
    inside = storyteller.inside_quotation(held_out)
    correlations = np.array([np.corrcoef(unit, inside)[0, 1] for unit in states.T])
    correlation = network.quote_sign * correlations[network.quote_unit]
    assert f"is {correlation:.2f}, where 1 would be perfect" in PROSE.replace("\n", " ")
    above_zero = network.quote_sign * states[:, network.quote_unit] > 0
    shares = [round(100 * above_zero[inside == value].mean()) for value in (1, 0)]
    assert shares == [98, 12]
    third, second, first = np.sort(np.abs(correlations))[-3:]
    assert first == correlation
    assert f"the next best reaches {second:.2f}" in PROSE.replace("\n", " ")
    assert third < 0.31


def test_the_unit_stays_high_when_a_quotation_is_not_closed(network) -> None:
    start = "The Cat said: “I like it here, but the tea is cold,"
    closed = storyteller.unit_values(network, start + "” and went away.")
    unclosed = storyteller.unit_values(network, start + " and went away.")
    assert closed[:13].max() < 0 < closed[15 : len(start)].min()
    assert closed[-10:].max() < 0 < unclosed[-10:].min()


def test_inside_means_from_the_opening_mark_until_before_the_closing_one() -> None:
    assert storyteller.inside_quotation("a“b”c“d\ne").astype(int).tolist() == [0, 1, 1, 0, 0, 1, 1, 0, 0]


def test_an_unknown_character_is_refused_by_name(network) -> None:
    with pytest.raises(ValueError, match="never seen '7'"):
        storyteller.read(network, "Room 7")


def test_coloured_text_shows_each_character_once_and_escapes_it() -> None:
    coloured = storyteller.ColouredText("a<b\n", np.array([-1.0, 1.0, 1.0, 0.0]))
    page = coloured._repr_html_()
    assert ">a</span>" in page
    assert ">&lt;b</span>" in page
    assert repr(coloured).splitlines()[:2] == ["a<b", " ^^"]


def test_the_memory_of_the_nile_does_what_the_text_says() -> None:
    years, flow = data.nile()
    difference = flow - flow.mean()
    leaky_memory = definitions("solutions", "00_start_here")["leaky_memory"]
    memory = {decay: (1 - decay) * leaky_memory(difference, decay) for decay in (0.5, 0.9, 0.99)}
    crossings = {decay: years[1:][np.diff(np.sign(values)) != 0] for decay, values in memory.items()}
    assert years[memory[0.9].argmax()] == 1896
    for year in (1897, 1898):
        assert 0 < difference[years == year] < memory[0.9][years == year - 1]
    assert (difference[years > 1898] < 0).mean() > 0.5
    assert crossings[0.9].tolist() == [1907, 1908, 1912, 1964, 1965]
    assert len(crossings[0.5]) == 17
    assert crossings[0.99].tolist() == [1941]
    assert flow[years <= 1898].mean() == pytest.approx(1098, abs=0.5)
    assert flow[years > 1898].mean() == pytest.approx(850, abs=0.5)


def test_a_picture_has_twice_the_pixels_it_is_shown_with() -> None:
    image = picture(new_axes(width=4.0), "A figure for its size")
    assert DENSITY == 2
    assert 'width="400"' in image._repr_html_()
    assert int.from_bytes(image.png[16:20], "big") == 800
