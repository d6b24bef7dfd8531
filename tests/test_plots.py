"""Pictures carry words, sliders redraw, and where no widget can be shown a picture stands in its place."""

from __future__ import annotations

import sys

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.axes import Axes

from rnn_helpers import architecture_graphs, attention_graphs, clinic, explorers, gate_graphs, graphs, plots

mpl.use("agg")
STATES = np.tanh(np.random.default_rng(0).normal(size=(6, 3)))


@pytest.fixture(autouse=True)
def _leave_no_figure_open():
    yield
    plt.close("all")


def test_a_heat_map_shows_each_state_at_its_step_and_unit() -> None:
    ax = plots.heat_map(STATES, title="States", step=2)
    (image,) = ax.images
    assert np.array_equal(image.get_array(), STATES.T)
    assert image.get_clim() == (-1, 1)
    (frame,) = ax.patches
    assert frame.get_x() == 1.5  # steps are counted from 1 and columns are one wide
    assert ax.get_xlabel() == "step t"


def test_a_heat_map_of_a_whole_batch_is_refused_with_the_way_out() -> None:
    with pytest.raises(ValueError, match=r"shape \(2, 6, 3\); expected \(steps, units\).*hs\[0\]"):
        plots.heat_map(np.zeros((2, 6, 3)), title="States")


def test_curves_are_named_at_their_ends_without_overlap() -> None:
    ax = plots.curves([1, 2], {"a": [0, 1.0], "b": [0, 1.001]}, title="t", xlabel="x", ylabel="y")
    heights = sorted(text.xy[1] for text in ax.texts)
    low, high = ax.get_ylim()
    assert (heights[1] - heights[0]) / (high - low) >= plots.LABEL_GAP * 0.999
    assert {text.get_text().strip() for text in ax.texts} == {"a", "b"}


def test_a_picture_is_closed_and_carries_its_words() -> None:
    picture = plots.picture(plots.new_axes(), 'Two "peaks" & a valley')
    assert picture.png.startswith(b"\x89PNG")
    assert 'alt="Two &quot;peaks&quot; &amp; a valley"' in picture._repr_html_()
    assert repr(picture) == '[picture] Two "peaks" & a valley'
    assert plt.get_fignums() == []


@pytest.mark.parametrize(("outputs", "readouts"), [("last", 1), ("all", 6), (False, 0)])
def test_the_unrolled_graph_has_a_copy_for_each_step(outputs, readouts: int) -> None:
    ax = graphs.unrolled(STATES, outputs=outputs)
    labels = [text.get_text() for text in ax.texts]
    assert sum(label.startswith("$h_{") for label in labels) == 6
    assert sum(label.startswith("$y_{") for label in labels) == readouts


def test_an_explorer_offers_the_widget_and_the_picture() -> None:
    bundle = explorers.Explorer(_numbered, {"T": explorers.Range(1, 6, 4)})._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert 'alt="number 4"' in bundle["text/html"]
    assert bundle["text/plain"] == "[picture] number 4"


def test_moving_the_slider_redraws() -> None:
    explorer = explorers.Explorer(_numbered, {"T": explorers.Range(1, 6, 4)})
    slider, screen = explorer.widget(_numbered(4)).children
    slider.value = 2
    assert 'alt="number 2"' in screen.value
    assert (slider.min, slider.max) == (1, 6)


def test_without_ipywidgets_the_picture_remains(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    assert set(explorers.Explorer(_numbered, {"T": explorers.Range(1, 6, 4)})._repr_mimebundle_()) == {
        "text/plain",
        "text/html",
    }


def test_the_unroll_explorer_draws_what_the_students_unroll_computes(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = []
    monkeypatch.setattr(explorers.cards, "show", shown.append)
    calls = []

    def unroll(xs, h_0, cells):
        calls.append((xs.shape, len(cells)))
        return np.zeros((1, len(cells), 3))

    explorers.unroll_explorer(unroll, np.zeros((1, 8, 2)), np.zeros((1, 3)), ())
    assert shown[0].sliders == {"steps T": explorers.Range(1, 8, 4)}
    assert "5 copies" in shown[0].draw(5).alt
    assert calls == [((1, 5, 2), 5)]


def _numbered(number: int) -> plots.Picture:
    return plots.picture(plots.new_axes(), f"number {number}")


def test_the_weights_stand_in_their_places_in_the_equation() -> None:
    weights = [np.ones((2, 3)), np.eye(3), np.zeros(3)]
    ax = graphs.weights_in_equation(weights, ["kernel", "recurrent_kernel", "bias"])
    assert [image.get_array().shape for image in ax.images] == [(2, 3), (3, 3), (1, 3)]
    lefts = [image.get_extent()[0] for image in ax.images]
    assert lefts == sorted(lefts)
    labels = [text.get_text() for text in ax.texts]
    assert "kernel\n(2, 3)" in labels
    assert "bias\n(3,)" in labels


def test_a_reading_plan_has_every_character_in_its_row() -> None:
    ax = graphs.reading_plan([["ab", "ef"], ["c ", "gh"]])
    placed = {(text.get_text(), *text.get_position()) for text in ax.texts}
    assert ("c", 2.5, 0.5) in placed
    assert ("␣", 3.5, 0.5) in placed
    assert ("h", 3.5, 1.5) in placed


def test_targets_stand_below_their_inputs() -> None:
    ax = graphs.reading_plan([["ab"], ["cd"]], targets=[["bc"], ["de"]])
    placed = {text.get_text(): text.get_position() for text in ax.texts if len(text.get_text()) == 1}
    assert placed["a"] == (0.5, 0.5)
    assert placed["e"] == (3.5, 1.35)


def test_the_lattice_shows_a_probability_wherever_a_path_can_pass() -> None:
    alphas = np.array([[0.5, 0.2, 0, 0, 0], [0.1, 0.1, 0.1, 0.3, 0], [0.1, 0.1, 0.1, 0.125, 0.25]])
    ax = architecture_graphs.ctc_lattice(alphas, ["–", "1", "–", "2", "–"])
    shown = {text.get_text() for text in ax.texts}
    assert {"0.125", "0.250", "0.300"} <= shown
    assert "0.500" in shown  # – 1 2 is a path of three frames
    arrows = [text for text in ax.texts if not text.get_text()]
    assert len(arrows) == 8


def test_both_directions_are_drawn_with_an_arrow_for_each_use() -> None:
    left = architecture_graphs.stacked_and_bidirectional(steps=3)
    names = [text.get_text() for text in left.texts if "h^{(2)}" in text.get_text()]
    assert names == ["$h^{(2)}_{1}$", "$h^{(2)}_{2}$", "$h^{(2)}_{3}$"]


@pytest.mark.parametrize(("training", "dashed"), [(True, 0), (False, 3)])
def test_only_a_decoder_that_generates_reads_its_own_output(training: bool, dashed: int) -> None:
    ax = architecture_graphs.encoder_decoder("57+78", "531", training=training)
    arrows = [text.arrow_patch for text in ax.texts if getattr(text, "arrow_patch", None)]
    assert sum(arrow.get_linestyle() == "--" for arrow in arrows) == dashed
    assert [text.get_text() for text in ax.texts if text.get_text() in ("start", "end")] == ["start", "end"]


def shown_by(ax: Axes) -> list[str]:
    return [text.get_text() for text in ax.texts if text.get_text()]


def test_each_stage_of_the_lstm_adds_its_gate_in_orange() -> None:
    stages = gate_graphs.lstm_stages().figure.axes
    sigmoids = [shown_by(ax).count(r"$\sigma$") for ax in stages]
    assert sigmoids == [0, 1, 2, 3]
    new = [{t.get_text() for t in ax.texts if t.get_color() == plots.COLOURS[1]} - {r"$\times$"} for ax in stages]
    assert new == [set(), {r"$\sigma$", "$f_t$"}, {r"$\sigma$", "$i_t$"}, {r"$\sigma$", "$o_t$"}]
    assert ["0.9" in shown_by(ax) for ax in stages] == [True, False, False, False]


def test_gradients_flow_to_every_gate_and_to_the_old_memory() -> None:
    ax = gate_graphs.lstm_gradients()
    pink = [text.get_text() for text in ax.texts if text.get_color() == plots.GRADIENT and text.get_text()]
    assert {r"$dc_{\mathrm{next}}$", "$dc$", r"$dc \odot f_t$", "$dh_t$"} <= set(pink)
    is_pink = [t for t in ax.texts if not t.get_text() and t.arrow_patch.get_edgecolor()[0] > 0.8]
    boxes = (gate_graphs.FORGET, gate_graphs.INPUT, gate_graphs.CANDIDATE, gate_graphs.OUTPUT)
    for x in boxes:  # an arrow ends at each
        assert any(abs(t.xy[0] - x) < 0.4 and abs(t.xy[1] - gate_graphs.BOXES) < 0.4 for t in is_pink)
    assert min(t.xy[0] for t in is_pink) == gate_graphs.START


def test_a_gru_has_two_sigmoids_and_one_candidate() -> None:
    shown = shown_by(gate_graphs.gru())
    assert (shown.count(r"$\sigma$"), shown.count("tanh"), shown.count("$1 - z_t$")) == (2, 1, 1)


def test_a_unit_colours_the_text_by_its_sign(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = []
    monkeypatch.setattr(explorers.cards, "show", shown.append)
    explorers.unit_explorer("ab c", np.array([[0.9, -1], [-0.9, 0], [0.1, 0.5], [0, 1]]))
    assert shown[0].initial_figure().alt.startswith("Unit 1: mean 0.03")
    assert shown[0].draw(2).alt.endswith("highest after 'c', lowest after 'a'.")


def test_typing_a_word_redraws_and_unknown_characters_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    shown, asked = [], []
    monkeypatch.setattr(explorers.cards, "show", shown.append)

    def guess(text, temperature):
        asked.append((text, temperature))
        return np.array([0.7, 0.2, 0.1]), "bab"

    explorers.guess_explorer(guess, "ab ", start="a")
    (explorer,) = shown
    assert "After 'a' at temperature 0.5: 'a' 70 %" in explorer.initial_figure().alt
    line, slider, screen = explorer.widget(explorer.initial_figure()).children
    line.value = "B!a"
    slider.value = 1.5
    assert asked[-2:] == [("ba", 0.5), ("ba", 1.5)]
    assert "After &#x27;ba&#x27; at temperature 1.5" in screen.value
    explorer.draw("!?", 1.0)
    assert asked[-1] == (" ", 1.0)  # nothing known was typed: a blank stands for it


def test_a_spectrogram_has_a_box_for_each_word_and_writes_where_there_is_room() -> None:
    frames = np.random.default_rng(0).normal(size=(50, 4))
    said = ["", *["six"] * 9, "", *["two"] * 9, *[""] * 30]
    heard = [*["one", "two"] * 5, *[""] * 10, "three", *[""] * 29]  # ten boxes too narrow to write in, and a spike
    ax = plots.spectrogram(frames, {"said": said, "heard": heard}, title="Two words", hop_s=0.02)
    (image,) = ax.images
    assert np.array_equal(image.get_array(), frames.T)
    assert len(ax.patches) == 2 + 11
    assert [text.get_text() for text in ax.texts] == ["said", "six", "two", "heard", "three"]
    assert ax.patches[0].get_x() == pytest.approx(0.02)
    assert ax.patches[0].get_width() == pytest.approx(9 * 0.02)


def test_the_gate_explorer_says_what_the_memory_does_at_the_marks(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list = []
    monkeypatch.setattr(explorers.cards, "show", shown.append)
    xs = np.array([[0.3, 0.0], [0.75, 1.0], [0.1, 0.0]])
    opened, memory = np.array([[0.1, 0.5], [0.9, 0.5], [0.1, 0.5]]), np.array([[0.0, 1.0], [0.7, 1.0], [0.7, 1.0]])
    gates = {"input gate": opened, "forget gate": np.ones((3, 2)), "memory": memory}
    explorers.gate_explorer(xs, gates, start=1)
    (explorer,) = shown
    assert explorer.sliders == {"unit": explorers.Range(1, 2, 1)}
    assert "at step 2 (value 0.75) the memory goes from 0.00 to 0.70, input gate 0.90" in explorer.initial_figure().alt
    assert "from 1.00 to 1.00, input gate 0.50" in explorer.draw(2).alt


def test_a_chain_has_an_arrow_for_each_step_and_a_star_one_for_each_state() -> None:
    left = attention_graphs.path_lengths(40)
    _, right = left.figure.axes
    assert "39 steps" in left.get_title(loc="left")

    def pink(ax) -> int:
        return sum(text.arrow_patch is not None and text.arrowprops["color"] == plots.GRADIENT for text in ax.texts
                   if hasattr(text, "arrow_patch"))  # fmt: skip

    assert (pink(left), pink(right)) == (1 + 3, 1 + 5)  # the states in the middle are dots


def test_the_attention_diagram_shows_the_numbers_by_hand() -> None:
    names = ["0", "0", "log 2"]
    ax = attention_graphs.attention(1.0, [0.0, 0.0, np.log(2)], [4.0, 8.0, 2.0], [0.25, 0.25, 0.5], names)
    texts = [text.get_text() for text in ax.texts]
    assert texts.count("0.25") == 2
    assert "log 2" in texts
    assert "4, the context" in texts


@pytest.mark.slow
def test_the_patient_explorer_shows_each_patient_without_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list = []
    monkeypatch.setattr(explorers.cards, "show", shown.append)
    patients = clinic.ward()
    explorers.patient_explorer([seen for _, seen in patients])
    (explorer,) = shown
    assert explorer.sliders == {"patient": explorers.Range(1, len(patients), 1)}
    for number, (fault, seen) in enumerate(patients, start=1):
        alt = explorer.draw(number).alt
        assert f"Patient {number}." in alt
        assert f"deploy_loss {seen['deploy_loss'][-1]:.2g}" in alt
        assert fault not in alt
