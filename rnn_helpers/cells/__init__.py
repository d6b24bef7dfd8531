"""Fast recurrent cells in NumPy that run over whole sequences and backpropagate through time.

simple   h_t = f(x_t W_xh + h_{t-1} W_hh + b_h); its names are those of this package: `cells.forward`, `cells.backward`
lstm     a memory behind three gates: `cells.lstm.forward`, `cells.lstm.backward`
gru      two gates on the state itself: `cells.gru.forward`, `cells.gru.backward`
min_gru  one gate, which depends on the input alone: `cells.min_gru.forward`, `cells.min_gru.backward`
linear   h_t = a_t h_{t-1} + b_t for any a and b: `cells.scan`
"""

from rnn_helpers.cells import gru, lstm, min_gru
from rnn_helpers.cells.linear import scan
from rnn_helpers.cells.simple import ACTIVATIONS, Activation, Cache, Gradients, Workspace, backward, forward

__all__ = [
    "ACTIVATIONS",
    "Activation",
    "Cache",
    "Gradients",
    "Workspace",
    "backward",
    "forward",
    "gru",
    "lstm",
    "min_gru",
    "scan",
]
