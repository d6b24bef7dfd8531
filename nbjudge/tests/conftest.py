"""The fixtures of the engine's tests."""

from process_state import *  # noqa: F403  (pytest finds fixtures by their names here)
