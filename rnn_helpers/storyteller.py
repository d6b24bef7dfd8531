"""A trained character network that writes, and the view into one of its units that opens lesson 00.

The weights were trained by tools/storyteller.py on the first nine tenths of *Alice in Wonderland*.
"""

from __future__ import annotations

import html
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rnn_helpers import cards

WEIGHTS = Path(__file__).with_name("storyteller.npz")
PARAMETERS = ("W_xh", "W_hh", "b_h", "W_hy", "b_y")
HELD_OUT = 0.1  # share of the text, at its end, that training never saw
SHADES = 4  # of the background, on either side of zero
BEFORE = "Alice went on.\n"  # read first: training hardly ever saw the state of zeros
COLUMNS = 72  # of the plain-text version

Array = NDArray[np.float64]


class Network(NamedTuple):
    """The weights of a simple RNN over characters, with an output layer.

    alphabet: its characters, in the order of the one-hot code
    W_xh: (characters, units); W_hh: (units, units); b_h: (units,); W_hy: (units, characters); b_y: (characters,)
    quote_unit: the unit that tracks quotations; quote_sign: 1, or -1 when it is negative inside them
    """

    alphabet: str
    W_xh: Array
    W_hh: Array
    b_h: Array
    W_hy: Array
    b_y: Array
    quote_unit: int
    quote_sign: int

    def advance(self, h: Array, character: str) -> Array:
        """Return the hidden state after reading one more character: h_t = tanh(x_t W_xh + h W_hh + b_h)."""
        number = self.alphabet.find(character)
        if number < 0:
            raise ValueError(f"the network has never seen {character!r}; expected one of {self.alphabet!r}")
        return np.tanh(self.W_xh[number] + h @ self.W_hh + self.b_h)

    def first_state(self) -> Array:
        """Return the hidden state at the start of a paragraph, after a short one before it."""
        h = np.zeros(len(self.b_h))
        for character in BEFORE:
            h = self.advance(h, character)
        return h

    def probabilities(self, h: Array, temperature: float = 1.0) -> Array:
        """Return the probability of each next character; a temperature below 1 favours the likely ones."""
        logits = (h @ self.W_hy + self.b_y) / temperature
        exponentials = np.exp(logits - logits.max())
        return exponentials / exponentials.sum()


def load() -> Network:
    """Return the trained network."""
    with np.load(WEIGHTS) as file:
        return Network(
            alphabet=str(file["alphabet"]),
            quote_unit=int(file["quote_unit"]),
            quote_sign=int(file["quote_sign"]),
            **{name: file[name].astype(float) for name in PARAMETERS},
        )


def write(network: Network, characters: int, seed: int, temperature: float = 0.45) -> str:
    """Return a new text that the network writes, one character at a time, from the start of a paragraph."""
    rng = np.random.default_rng(seed)
    text, h = "", network.first_state()
    for _ in range(characters):
        text += rng.choice(list(network.alphabet), p=network.probabilities(h, temperature))
        h = network.advance(h, text[-1])
    return text


def read(network: Network, text: str) -> Array:
    """Return the hidden state after each character of `text`: (characters, units)."""
    h, states = network.first_state(), []
    for character in text:
        h = network.advance(h, character)
        states.append(h)
    return np.array(states)


def unit_values(network: Network, text: str) -> Array:
    """Return the value of the quotation unit after each character, positive inside a quotation: (characters,)."""
    return network.quote_sign * read(network, text)[:, network.quote_unit]


def inside_quotation(text: str) -> NDArray[np.bool_]:
    """Return whether each character is inside a quotation, from “ on until before ” or the end of the paragraph."""
    inside, flags = False, []
    for character in text:
        inside = (inside or character == "“") and character not in "”\n"
        flags.append(inside)
    return np.array(flags)


def show_unit(text: str, values: Array) -> None:
    """Show the text coloured by the values of one unit, from -1 to 1."""
    cards.show(ColouredText(text, values))


class ColouredText:
    """Text on a background that shows one value per character: white at -1, orange at 1, underlined above 0.

    Background and letters have fixed colours, so that it reads alike in light and dark themes; the lightness and the
    underline carry the value, so that it does not depend on colour vision.
    """

    def __init__(self, text: str, values: Array):
        if len(text) != len(values):
            raise ValueError(f"{len(values)} values for {len(text)} characters; expected one for each character")
        self.text, self.values = text, np.asarray(values)

    def _repr_html_(self) -> str:
        shades = np.round(self.values * SHADES).astype(int)
        pieces = []
        for shade, group in groupby(zip(shades.tolist(), self.text, strict=True), key=lambda pair: pair[0]):
            words = html.escape("".join(character for _, character in group)).replace("\n", "<br>")
            pieces.append(f'<span style="{_style(shade)}">{words}</span>')
        box = "background:#ffffff;color:#111111;padding:10px 14px;max-width:44em;line-height:1.75;border:1px solid #999"
        legend = f'<span style="{_style(-SHADES)}">-1</span> to <span style="{_style(SHADES)}">+1</span>'
        return (
            f'<div style="{box};font-family:monospace">{"".join(pieces)}'
            f'<div style="margin-top:8px">value of the unit: {legend}, underlined above 0</div></div>'
        )

    def __repr__(self) -> str:
        lines, start = [], 0
        for paragraph in self.text.split("\n"):
            for first in range(0, len(paragraph), COLUMNS):
                part = slice(start + first, start + min(first + COLUMNS, len(paragraph)))
                lines += [self.text[part], "".join("^" if value > 0 else " " for value in self.values[part])]
            start += len(paragraph) + 1
        return "\n".join([*lines, "^ the unit is above 0"])


def _style(shade: int) -> str:
    """Return the CSS of a shade from -SHADES to SHADES; the darkest leaves black letters a contrast above 8 to 1."""
    share = (shade + SHADES) / (2 * SHADES)
    red, green, blue = (round(255 + share * (end - 255)) for end in (253, 174, 97))
    line = "border-bottom:2px solid #8a3a00" if shade > 0 else "border-bottom:2px solid transparent"
    return f"background:rgb({red},{green},{blue});color:#111111;{line}"
