"""Probes for exercises about Keras: each calls an answer and inspects the layer or model that it returns.

A model is evaluated by what it computes: by its weights, by its configuration and by its outputs on inputs chosen here,
against the course's NumPy network with those weights. Nothing in this package imports TensorFlow before it is called.
"""

from rnn_helpers.checks.keras_probes.classifiers import binary_classifier, sequence_network
from rnn_helpers.checks.keras_probes.early_stopping import trained_with_early_stopping
from rnn_helpers.checks.keras_probes.forecasters import trained_forecaster
from rnn_helpers.checks.keras_probes.language_models import language_model
from rnn_helpers.checks.keras_probes.layers import into_layer, with_layer
from rnn_helpers.checks.keras_probes.recognisers import recogniser
from rnn_helpers.checks.keras_probes.translators import encoder_decoder

PROBES = (
    into_layer,
    with_layer,
    binary_classifier,
    sequence_network,
    trained_with_early_stopping,
    trained_forecaster,
    language_model,
    recogniser,
    encoder_decoder,
)
MODEL_PROBES = {probe.__name__: probe for probe in PROBES}
