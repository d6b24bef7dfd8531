"""Outputs that a notebook's file cannot hold are made fit for it, and there is a limit to all of them together."""

from __future__ import annotations

import json
from typing import Any

import nbformat
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook, new_output

from nbjudge.cell_result import is_valid
from nbjudge.execution.outputs import TOO_DEEP, Outputs, clean, encodable, size_of

HALF, WHOLE = "\ud800", "\N{GRINNING FACE}"


def nested(depth: int, mapping: bool = False) -> Any:
    value: Any = "x"
    for _ in range(depth):
        value = {"x": value} if mapping else [value]
    return value


def written(*outputs: NotebookNode) -> str:
    """Return the outputs as they stand in a notebook's file."""
    text = nbformat.writes(new_notebook(cells=[new_code_cell(outputs=[clean(output) for output in outputs])]))
    assert text.encode()
    return text


@pytest.mark.parametrize(
    ("text", "expected"),
    [("a", "a"), ("\xe9", "\xe9"), (f"a{HALF}", "a\ufffd"), ("\udfff\ud800", "\ufffd\ufffd"), ("\ud83d\ude00", WHOLE)],
)
def test_halves_of_characters_are_replaced(text, expected):
    assert encodable(text) == expected


@pytest.mark.parametrize(
    "output",
    [
        new_output("stream", name="stdout", text=f"a{HALF}"),
        new_output("error", ename=HALF, evalue=HALF, traceback=[HALF, "a"]),
        new_output("display_data", {"text/plain": HALF, HALF: "a"}, metadata={HALF: HALF}),
        new_output("display_data", {"application/json": {HALF: [HALF, {"a": HALF}]}}),
        new_output("display_data", {"text/html": ["a", HALF]}),
        new_output("execute_result", {"text/plain": HALF}, execution_count=1),
    ],
    ids=lambda output: output.output_type,
)
def test_no_half_of_a_character_is_left_in_an_output(output):
    assert "\\ud800" not in json.dumps(json.loads(written(output)))


@pytest.mark.parametrize("depth", [40, 300, 5000])
@pytest.mark.parametrize("mapping", [True, False])
def test_data_nested_too_deeply_is_a_sentence(depth, mapping):
    output = NotebookNode(output_type="display_data", metadata={}, data={"application/json": nested(depth, mapping)})
    assert clean(output).data == {"application/json": TOO_DEEP}
    output = NotebookNode(output_type="display_data", metadata={"a": nested(depth, mapping)}, data={"text/plain": "x"})
    assert (clean(output).data, clean(output).metadata) == ({"text/plain": "x"}, {})
    assert size_of(output) >= depth * (0 if mapping else 8)


def test_data_of_an_ordinary_depth_stays():
    data = {"application/json": nested(10, True), "text/plain": "x"}
    assert clean(new_output("display_data", data)).data == data


@pytest.mark.parametrize("number", [float("nan"), float("inf"), 10**5000, -(10**30)], ids=["nan", "inf", "long", "low"])
def test_numbers_that_json_does_not_know_are_left_out(number):
    output = NotebookNode(output_type="display_data", metadata={}, data={"application/json": {"a": number, "b": 1}})
    assert json.loads(written(output))["cells"][0]["outputs"][0]["data"]["application/json"] == {"a": None, "b": 1}


TEXT = st.text(st.characters() | st.characters(categories=["Cs"]), max_size=8)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | TEXT
JSON = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=2), max_leaves=10
)


@settings(max_examples=50)
@given(JSON, TEXT, st.dictionaries(TEXT, LEAVES, max_size=3))
def test_any_json_can_be_written_after_it_is_cleaned(data, text, metadata):
    bundle = {"application/json": data, "text/plain": text}
    written(NotebookNode(output_type="display_data", data=bundle, metadata=metadata))


# --- how much


def stream(size: int) -> NotebookNode:
    return new_output("stream", name="stdout", text="x" * size)


def test_what_fits_is_kept_and_the_rest_is_a_sentence():
    outputs = Outputs(5000)
    first, second = new_code_cell(outputs=[stream(4000)]), new_code_cell(outputs=[stream(4000), stream(10)])
    assert outputs.keep(first, is_test=False) == ""
    assert "left out" in outputs.keep(second, is_test=False)
    assert [len(output.text) for output in first.outputs] == [4000]
    assert second.outputs[0].text == "x" * 10
    assert "left out" in second.outputs[1].text


def test_what_a_test_shows_is_kept_however_much_was_printed_before():
    outputs = Outputs(100)
    error = new_output("error", ename="AssertionError", evalue="x" * 10_000, traceback=[])
    card = new_output("display_data", {"text/html": "x" * 10_000})
    cell = new_code_cell(outputs=[error, card])
    assert "left out" in outputs.keep(new_code_cell(outputs=[stream(4000)]), is_test=False)
    assert outputs.keep(cell, is_test=True) == ""
    assert [output.output_type for output in cell.outputs] == ["error", "display_data"]


def test_cleaned_outputs_are_valid():
    outputs = [stream(3), new_output("display_data", {"text/plain": "x"}), new_output("error", traceback=["x"])]
    assert [is_valid(clean(output)) for output in outputs] == [True, True, True]
