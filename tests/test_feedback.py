"""Feedback that can be handed out: no hidden test in it, nothing of it runs, and it has an end."""

from __future__ import annotations

import base64
import io
import re
from html import unescape
from importlib.resources import files
from pathlib import Path

import nbformat
import pytest
from feedback_pages import (
    ABOUT,
    ESCAPED,
    HOSTILE_HTML,
    LOAD,
    TABLE,
    honest_notebook,
    hostile_notebook,
    png,
    settings,
    shown,
)
from fontTools.ttLib import TTFont
from nbconvert.exporters import HTMLExporter
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from nbgrader.api import Gradebook
from nbgrader_course import ROOT, nbgrader
from tiny_course import LESSON, make_course
from traitlets.config import PyFileConfigLoader

from nbjudge.cell_result import SKIPPED
from nbjudge.feedback import rendering
from nbjudge.feedback.exporter import FeedbackExporter, page
from nbjudge.feedback.grades import GetScores
from nbjudge.feedback.math_font import font_face
from nbjudge.feedback.mathml import mathml
from nbjudge.feedback.redaction import WITHHELD, HiddenTests, error_sentence
from nbjudge.feedback.rendering import Limits, markdown, size
from nbjudge.feedback.results import RESULT_MIME_TYPE
from nbjudge.feedback.sanitize import clean
from rnn_helpers.cards import Card
from rnn_helpers.checks.evaluator import Problem, Report

LIMITS = Limits(text=20_000, outputs=40, html=2_000_000, images=3_000_000)
SECRET = "assert triple(31337) == 94011, 'three times'"
HIDDEN = f"assert triple(1) == 3\n### BEGIN HIDDEN TESTS\n{SECRET}\n### END HIDDEN TESTS\nassert triple(2) == 6"
# What a tag may not hold, wherever it stands: of text, `<` is always escaped.
FORBIDDEN = re.compile(
    r"<(script|iframe|object|embed|applet|svg|style|link|base|form|input|button|video|audio|source|picture|marquee|noscript)\b"
    r"|<[^>]* (on\w+|srcset|srcdoc|formaction|id|name|background|http-equiv)="
    r"|<[^>]*(href|src)=\"?\s*(javascript|data:text|data:image/svg)"
    r"|<img[^>]* src=[\"']?http|<[^>]*style=\"[^\"]*(url|position)",
    re.IGNORECASE,
)

# What a parser and a filter can disagree about, and what must come of it.
TRICKS = [
    ("<scr<script>ipt>x()</scr</script>ipt>", "ipt&gt;x()ipt&gt;"),
    ("<script/x>x()</script>y", "y"),
    ("<script>'</script >'", "'"),
    ("<style></style/><img onerror=x() src=x>", "<img>"),
    ("<style>/*</style><img src=x>*/", "<img>*/"),
    ("<noscript><style></noscript><img src=x onerror=x()>", "<img>"),
    ("<svg><style><a title='</style><img src=x onerror=x()>'>", ""),
    ("<svg><desc><p><script>x()</script>", ""),
    ("<math><annotation-xml encoding='text/html'><img src=x onerror=x()>", ""),
    ("<form><math><mtext></form><form><mglyph><style></math><img src onerror=x()>", ""),
    ("<template><img src=x onerror=x()></template>", ""),
    ("<xmp><img src=x onerror=x()></xmp>", ""),
    ("<title><b></title><img src=x onerror=x()>", "<img>"),
    ("<textarea><img src=x onerror=x()></textarea>", ""),
    ("<select><option>one</select>two", "two"),
    ("<plaintext><script>x()", "&lt;script&gt;x()"),
    ("<frameset onload=x()><frame src=//x>", ""),
    ("<!--><img src=x onerror=x()>-->", "<img>--&gt;"),
    ("<? x ?><!DOCTYPE html><![x[<img src=x>]]>", "]]&gt;"),
    ("<img/src=x/onerror=x()>", "<img>"),
    ("<img src='data:image/png;base64,AA' onerror=x()>", '<img src="data:image/png;base64,AA">'),
    ("<img src='data:image/png;base64,AA&quot; onerror=x()'>", "<img>"),
    ("<img src='data:image/svg+xml;base64,AA'>", "<img>"),
    ("<img src='DATA:text/html,x'>", "<img>"),
    ("<a href='java\tscript:x()'>y</a><a href='&#1;javascript:x()'>z</a>", "<a>y</a><a>z</a>"),
    ("<a href='data:image/png;base64,AA'>y</a>", "<a>y</a>"),
    ("<a href='https:\n//x'>y</a>", "<a>y</a>"),
    ("<b title='\"><script>x()</script>'>y</b>", '<b title="&quot;&gt;&lt;script&gt;x()&lt;/script&gt;">y</b>'),
    ("<b title='a\0b' \0onclick=x()>y</b>", '<b title="a\ufffdb">y</b>'),
    ("<b style='background:u/**/rl(x)'>y</b>", "<b>y</b>"),
    ("<b style='color:red;background:URL(x)'>y</b>", "<b>y</b>"),
    ("<b style='color:red;position:fixed;--x:1;z-index:9'>y</b>", '<b style="color:red">y</b>'),
    ("<b style='color:red}body{color:blue'>y</b>", '<b style="color:red } body {">y</b>'),
    ("<p class='k score'>y</p><p class='k'>z</p>", '<p>y</p><p class="k">z</p>'),
    ("<p id=top name=top data-x=1 slot=x is=x xmlns=x>y</p>", "<p>y</p>"),
    ("&lt;script&gt; &amp;lt;b&gt;", "&lt;script&gt; &amp;lt;b&gt;"),
    ("half \ud800 a pair", "half ? a pair"),
    (
        "<table><tr><th scope='col'> </th><th>a</th></tr>",
        "<table><tbody><tr><td></td><th>a</th></tr></tbody></table>",
    ),
]


def graded(source: str = HIDDEN, *outputs: nbformat.NotebookNode) -> nbformat.NotebookNode:
    metadata = {"nbgrader": settings("triple_test", grade=True, locked=True, score=0.0, points=2.0)}
    return new_code_cell(source, metadata=metadata, outputs=list(outputs))


def stripped(*cells: nbformat.NotebookNode) -> nbformat.NotebookNode:
    notebook = new_notebook(cells=list(cells))
    HiddenTests("BEGIN HIDDEN TESTS", "END HIDDEN TESTS").remove_from(notebook)
    return notebook


def rendered(*outputs: nbformat.NotebookNode, limits: Limits = LIMITS) -> str:
    """Return the page's main part for one cell with these outputs."""
    html = page(new_notebook(cells=[new_code_cell("x", outputs=list(outputs))]), ABOUT, limits)
    return html[html.index("<main>") :]


def error(ename: str, evalue: str, traceback: str = "") -> nbformat.NotebookNode:
    return new_output("error", ename=ename, evalue=evalue, traceback=[traceback])


def formulas_of_the_course() -> list[str]:
    lessons = Path(__file__).parent.parent / "source"
    prose = [line.removeprefix("#") for path in lessons.glob("*.py") for line in path.read_text().splitlines()]
    pairs = re.findall(r"\$\$(.+?)\$\$|(?<!\$)\$([^$\n]+)\$", "\n".join(prose), re.DOTALL)
    return [formula for pair in pairs for formula in pair if formula]


def embedded_font(html: str) -> TTFont:
    data = re.search(r"base64,([\w+/=]+)", font_face(html))
    return TTFont(io.BytesIO(base64.b64decode(data[1])))


class TestHiddenTests:
    def test_hidden_lines_are_gone_and_visible_ones_stay(self):
        source = stripped(graded()).cells[0].source
        assert "31337" not in source
        assert "triple(1)" in source
        assert "triple(2)" in source

    def test_a_region_without_an_end_reaches_to_the_end_of_the_cell(self):
        assert "31337" not in stripped(graded(f"### BEGIN HIDDEN TESTS\n{SECRET}")).cells[0].source

    def test_the_traceback_of_a_test_becomes_one_line(self):
        notebook = stripped(graded(HIDDEN, error("AssertionError", "three times", f"\x1b[0m----> 1 {SECRET}")))
        assert notebook.cells[0].outputs[0].traceback == ["AssertionError: three times"]

    @pytest.mark.parametrize(
        "printed",
        [
            f"file.py:1: UserWarning: slow\n  {SECRET}",
            f"\x1b[31massert\x1b[0m{SECRET.removeprefix('assert')}",
        ],
        ids=["a warning's line", "coloured"],
    )
    def test_a_hidden_line_in_printed_text_is_withheld(self, printed):
        outputs = [
            new_output("stream", name="stdout", text=printed),
            shown({"text/html": SECRET.replace("'", "&#x27;")}),
        ]
        notebook = stripped(graded(), new_code_cell("x", outputs=outputs))
        assert "31337" not in str(notebook)
        assert WITHHELD in notebook.cells[1].outputs[0].text
        assert WITHHELD in notebook.cells[1].outputs[1].data["text/html"]

    @pytest.mark.parametrize(
        ("evalue", "said"),
        [
            ("the last state is off", "AssertionError: the last state is off"),
            ("", "AssertionError: A hidden check failed."),
            ("5 != 94011", "AssertionError: A value is not the expected one."),
            ("5 != 94011 : the last state is off", "AssertionError: the last state is off"),
            ("Lists differ: [1] != [94011]\n\nFirst", "AssertionError: A value is not the expected one."),
            ("5 not found in [94011]", "AssertionError: A value is not the expected one."),
            (
                "\nNot equal to tolerance rtol=1e-07, atol=0\nh\nMismatched\n ACTUAL: 5\n DESIRED: 94011",
                "AssertionError: Not equal to tolerance rtol=1e-07, atol=0",
            ),
            ("\nArrays are not equal\n DESIRED: 94011", "AssertionError: Arrays are not equal"),
        ],
    )
    def test_of_a_hidden_comparison_only_the_message_is_told(self, evalue, said):
        assert error_sentence(error("AssertionError", evalue), hidden=True) == said

    def test_real_comparisons_do_not_tell_the_expected_value(self):
        import unittest

        import numpy as np

        case = unittest.TestCase()
        expected = 94011
        comparisons = [
            (np.testing.assert_allclose, [1.0, 2.0], [1.0, float(expected)]),
            (np.testing.assert_array_equal, [1, 2], [1, expected]),
            (np.testing.assert_equal, 5, expected),
            (np.testing.assert_almost_equal, 5, expected),
            (np.testing.assert_array_less, [expected], [1]),
            (np.testing.assert_equal, {"a": 1}, {"a": expected}),
            ("assertEqual", 5, expected),
            ("assertAlmostEqual", 5, expected),
            ("assertIn", 5, [expected]),
            ("assertGreater", 5, expected),
            ("assertListEqual", [5], [expected]),
            ("assertIs", 5, expected),
            ("assertDictEqual", {"a": 5}, {"a": expected}),
            ("assertMultiLineEqual", "a", str(expected)),
            ("assertCountEqual", [5], [expected]),
            ("assertRegex", "5", str(expected)),
            ("assertIsNone", expected),
            ("assertIsInstance", expected, str),
            ("assertSetEqual", {5}, {expected}),
        ]
        for check, *values in comparisons:
            with pytest.raises(AssertionError) as caught:
                (getattr(case, check) if isinstance(check, str) else check)(*values)
            assert str(expected) in str(caught.value)
            assert str(expected) not in error_sentence(error("AssertionError", str(caught.value)), hidden=True)

    def test_a_long_message_is_cut(self):
        assert len(error_sentence(error("ValueError", "x" * 10_000), hidden=True)) < 510

    def test_what_the_engine_did_not_grade_is_told_in_its_sentence(self):
        html = rendered(error("NotGraded", "The cell ran for more than 120 s & was stopped."))
        assert "The cell ran for more than 120 s &amp; was stopped." in html
        assert "NotGraded" not in html


class TestSanitising:
    @pytest.mark.parametrize("html", HOSTILE_HTML)
    def test_nothing_that_runs_or_loads_stays(self, html):
        assert not FORBIDDEN.search(clean(html))
        assert LOAD not in re.sub(r">[^<]*<", "><", f">{clean(html)}<")

    @pytest.mark.parametrize(("html", "cleaned"), TRICKS)
    def test_a_parser_cannot_be_tricked(self, html, cleaned):
        assert clean(html) == cleaned
        assert clean(cleaned) == cleaned

    def test_the_pattern_knows_every_attack(self):
        assert [html for html in HOSTILE_HTML if not FORBIDDEN.search(html)] == [ESCAPED]

    def test_our_cards_and_tables_stay_as_they_are(self):
        card = next(cell for cell in honest_notebook().cells if cell.get("outputs")).outputs[0].data["text/html"]
        cleaned = clean(card)
        assert cleaned.count("style=") == card.count("style=")
        assert "border-left:5px solid var(--jp-error-color1, #b2182b)" in cleaned
        assert "class='rnn-card'" in cleaned.replace('"', "'")
        table = clean(TABLE)
        assert "vertical-align" not in table  # the text of its style sheet
        assert table.count("<td>") == 5  # with the corner, an empty header cell
        assert 'class="dataframe"' in table

    def test_an_embedded_picture_stays_and_a_loaded_one_goes(self):
        source = f"data:image/png;base64,{png()}"
        assert source in clean(f'<img alt="a plot" src="{source}">')
        assert clean(f'<img alt="a plot" src="{LOAD}.png">') == '<img alt="a plot">'

    def test_classes_of_the_page_cannot_be_borrowed(self):
        assert clean('<p class="score">Score: 9 / 9</p>') == "<p>Score: 9 / 9</p>"

    @pytest.mark.parametrize(
        "piece", ["<div>", "<b>", "<div><table></div></table>", "<div title=</div>", "<style</style"]
    )
    def test_nesting_without_end_becomes_text_or_little(self, piece):
        assert len(clean(piece * (50_000 // len(piece)))) < 200_000

    def test_html_that_is_too_long_says_so(self):
        assert "60001 characters of HTML; expected at most 60000" in clean("x" * 60_001)

    def test_nesting_too_deep_says_so(self):
        assert "nested too deep; expected at most 200" in clean("<div>" * 300)
        assert "nested too deep" not in clean("<ul><li><p>" * 100)

    @pytest.mark.parametrize("target", ["#top", "//example.org", "other.html", "file:///x", "JaVaScRiPt:x()"])
    def test_a_link_leads_to_an_ordinary_address_or_nowhere(self, target):
        assert clean(f'<a href="{target}">x</a>') == "<a>x</a>"
        assert clean('<a href="https://example.org">x</a>') == '<a href="https://example.org">x</a>'

    def test_a_formula_within_an_attribute_cannot_break_out_of_it(self):
        html = markdown('![$x$](data:image/png;base64,AAAA) <a title="\n\n$x$ y">z</a>', {})
        assert "<math" in html
        assert not re.search(r'<[a-z][^<>]*="[^"]*<math', html)


class TestFormulas:
    def test_a_formula_becomes_mathml(self):
        assert mathml("h_t").startswith('<math display="inline"><mrow><msub><mi>h</mi><mi>t</mi>')

    @pytest.mark.parametrize(
        "latex",
        [r"\text{<img src=x onerror=a()>}", r"\href{javascript:a()}{x}", r"\style{background:url(x)}{x}", "<b>"],
    )
    def test_markup_within_a_formula_is_text(self, latex):
        assert re.findall(r"<(?!/?m)\w+|href|style", mathml(latex)) == []

    @pytest.mark.parametrize("latex", [r"\unknown{x}", "{" * 3000, r"\def\a{\a\a}\a", "x^x^x", r"\frac"])
    def test_what_cannot_be_read_is_shown_as_it_was_written(self, latex):
        assert mathml(latex) == f"<code>{latex[:2000]}</code>"

    def test_every_formula_of_the_course_can_be_read(self):
        formulas = formulas_of_the_course()
        assert len(formulas) > 100
        assert [formula for formula in formulas if "<code>" in mathml(formula)] == []

    def test_a_colour_is_left_to_the_style_sheet(self):
        assert '<mstyle style="--colour: #D1368B">' in mathml(r"\textcolor{#D1368B}{x}")
        assert "style=" not in mathml(r"\textcolor{red;position:fixed}{x}")

    def test_a_sized_parenthesis_with_an_exponent_has_a_row_of_its_own(self):
        assert re.search(r'<msup><mrow><mo minsize="[\d.]+em"[^>]*>\)</mo></mrow><mn>2</mn></msup>', mathml(r"\Big)^2"))


class TestTheFontOfFormulas:
    def test_it_has_the_letters_of_the_formulas_in_italics_and_as_they_are(self):
        letters = embedded_font(mathml(r"h_t + \theta")).getBestCmap()
        assert {ord(letter) for letter in "ht+θ𝑡𝜃ℎ√"} <= letters.keys()
        assert not {ord(letter) for letter in "xX𝑥"} & letters.keys()

    def test_it_knows_where_scripts_stand_and_how_parentheses_grow(self):
        table = embedded_font(mathml(r"\left(\frac{a}{b}\right)^2"))["MATH"].table
        assert table.MathConstants.SubscriptShiftDown.Value > 0
        assert len(table.MathVariants.VertGlyphConstruction) >= 2

    def test_it_has_every_character_of_the_courses_formulas(self):
        html = "".join(mathml(formula) for formula in formulas_of_the_course())
        used = set(re.sub(r"\s", "", unescape(re.sub(r"<[^>]*>", "", html))))
        assert {letter for letter in used if ord(letter) not in embedded_font(html).getBestCmap()} == set()

    def test_a_page_has_it_only_for_formulas_and_says_whose_it_is(self):
        html = page(honest_notebook(), ABOUT, LIMITS)
        assert "font-src data:" in html
        assert "SIL Open Font License" in html
        assert len(font_face(html)) < 20_000
        html = page(new_notebook(cells=[new_code_cell("x = 1")]), ABOUT, LIMITS)
        assert "font-src" not in html
        assert "@font-face" not in html

    def test_its_licence_lies_beside_it(self):
        folder = files("nbjudge.feedback") / "fonts"
        assert {file.name for file in folder.iterdir()} == {"OFL.txt", "STIXTwoMath.woff"}
        assert "STIX Fonts Project Authors" in (folder / "OFL.txt").read_text(encoding="utf-8")


def nested(depth: int) -> dict[str, object]:
    """Return a dictionary in a dictionary, and so on."""
    inner: dict[str, object] = {}
    for _ in range(depth):
        inner = {"a": inner}
    return inner


def index_of(*cells: nbformat.NotebookNode) -> list[tuple[str, str, str]]:
    """Return the rows of the list at the top of the page: exercise, why it lost points, points."""
    html = page(new_notebook(cells=list(cells)), ABOUT, LIMITS)
    body = html[html.index("<tbody>") : html.index("</tbody>")]
    row = r"<code>(.*?)</code></a>(?:<span class=\"why\">(.*?)</span>)?</th><td class=\"score\">(.*?)</td>"
    return re.findall(row, body)


def result(**fields: object) -> nbformat.NotebookNode:
    return shown({RESULT_MIME_TYPE: fields, "text/plain": "a card"})


class TestIndex:
    @pytest.mark.parametrize(
        ("output", "why"),
        [
            (result(solved=False, problem="not solved yet"), "Not solved yet."),
            (result(solved=True, sentence="Transpose `W`.", mistake="m", problem="p"), "Transpose <code>W</code>."),
            (result(solved=True, sentence="", mistake="You forget the bias", problem="p"), "You forget the bias"),
            (result(solved=True, mistake="", problem="shape (3,)"), "shape (3,)"),
            (error("AssertionError", "three times", SECRET), "three times"),
            (error("KeyError", "'x'", SECRET), "KeyError: &#39;x&#39;"),
            (error("NotGraded", "It took longer than 120 s."), "It took longer than 120 s."),
            (new_output("stream", text="printed by the student"), ""),
        ],
        ids=["unsolved", "sentence", "mistake", "problem", "assertion", "error", "not graded", "printed"],
    )
    def test_it_says_why_an_exercise_lost_points(self, output, why):
        assert index_of(*stripped(graded(HIDDEN, output)).cells) == [("triple", why, "0 / 2")]

    def test_of_full_marks_it_says_nothing_more(self):
        cell = graded(HIDDEN, result(solved=True, problem="an older one"))
        cell.metadata.nbgrader.score = 2.0
        assert index_of(cell) == [("triple", "", "2 / 2")]

    def test_a_hidden_line_in_a_result_is_withheld(self):
        (row,) = index_of(*stripped(graded(HIDDEN, result(solved=True, problem=f"failed: {SECRET}"))).cells)
        assert row[1] == f"failed: {WITHHELD}"

    def test_it_shows_text_of_a_result_as_text(self):
        (row,) = index_of(graded("x", result(solved=True, problem="<script>1</script>")))
        assert row[1] == "&lt;script&gt;1&lt;/script&gt;"

    def test_an_answer_that_waits_has_no_points_yet(self):
        flags = {"grade": True, "solution": True, "points": 2, "score": 0.0}
        waiting = new_markdown_cell("a", metadata={"nbgrader": settings("why", **flags, needs_manual_grade=True)})
        (row,) = index_of(waiting)
        assert row == ("why", "Not marked yet: a person reads this answer.", "? / 2")
        assert "Score: 3 / 6 (2 not marked yet)" in page(new_notebook(cells=[waiting]), ABOUT, LIMITS)
        waiting.metadata.nbgrader.needs_manual_grade = False
        assert "marked yet" not in page(new_notebook(cells=[waiting]), ABOUT, LIMITS)

    def test_a_marked_answer_shows_the_graders_comment(self):
        flags = {"grade": True, "solution": True, "points": 2, "score": 1.0, "comment": "The sign is missing."}
        assert index_of(new_markdown_cell("a", metadata={"nbgrader": settings("why", **flags)})) == [
            ("why", "The sign is missing.", "1 / 2")
        ]

    def test_a_cards_first_sentence_is_the_reason(self):
        problem = Problem("shape", "`step` returns shape (3,); expected (3, 2)")
        report = Report("rnn_step", {"shapes": False}, {"shapes": problem})
        for known, why in (
            ("", "`step` returns shape (3,); expected (3, 2)."),
            ("you forget the bias", "You forget the bias."),
        ):
            report.mistake = known
            bundle = Card(report)._repr_mimebundle_()
            assert index_of(graded("x", shown(bundle)))[0][1].replace("<code>", "`").replace("</code>", "`") == why


class TestNotesOfTheEngine:
    def test_demonstrations_are_mentioned_once(self):
        cells = [new_code_cell(f"plot({number})", outputs=[new_output("stream", text=SKIPPED)]) for number in range(3)]
        html = page(new_notebook(cells=cells), ABOUT, LIMITS)
        assert html.count("emonstration") == 1
        assert SKIPPED.strip() not in html
        assert "emonstration" not in page(new_notebook(cells=[new_code_cell("x = 1")]), ABOUT, LIMITS)

    def test_the_points_that_a_test_returns_are_not_shown_and_numbers_of_other_cells_are(self):
        number = new_output("execute_result", data={"text/plain": "7.25"})
        html = page(new_notebook(cells=[graded("x", number)]), ABOUT, LIMITS)
        assert "7.25" not in html
        assert "7.25" in page(new_notebook(cells=[new_code_cell("x", outputs=[number])]), ABOUT, LIMITS)
        text = new_output("execute_result", data={"text/plain": "'7.25 of 8'"})
        assert "7.25 of 8" in page(new_notebook(cells=[graded("x", text)]), ABOUT, LIMITS)


class TestLimits:
    def test_a_long_text_is_cut_with_a_sentence(self):
        html = rendered(new_output("stream", name="stdout", text="y" * 48_220_000))
        assert len(html) < 25_000
        assert "... 48.2 MB more were printed." in html

    def test_many_outputs_are_cut_with_a_sentence(self):
        html = rendered(*[shown({"text/plain": f"number {i}"}) for i in range(100)])
        assert "number 39" in html
        assert "number 40" not in html
        assert "... 60 more outputs are left out." in html

    def test_prints_that_follow_one_another_are_one_output(self):
        html = rendered(*[new_output("stream", name="stdout", text=f"line {i}\n") for i in range(100)])
        assert "line 99" in html

    def test_the_page_has_an_end(self):
        outputs = [shown({"text/plain": "z" * 1000}) for _ in range(30)]
        html = rendered(*outputs, limits=Limits(text=2000, outputs=40, html=5000, images=0))
        assert 3000 < html.count("z") < 5000
        assert "the page is limited to 5.0 kB of text" in html

    @pytest.mark.slow
    @pytest.mark.parametrize("kind", ["text/plain", "text/html", "text/markdown"])
    def test_of_what_the_page_cannot_hold_no_more_is_worked_through(self, kind, monkeypatch):
        worked = []

        def counted(function):
            def count(text, *more, **named):
                worked.append(len(text))
                return function(text, *more, **named)

            return count

        for name in ("ansi2html", "clean", "markdown"):
            monkeypatch.setattr(rendering, name, counted(getattr(rendering, name)))
        cells = [new_code_cell("x", outputs=[shown({kind: "z" * 1000})] * 30) for _ in range(100)]
        html = page(new_notebook(cells=cells), ABOUT, Limits(text=2000, outputs=40, html=5000, images=0))
        assert sum(worked) < 20_000, worked
        assert "the page is full" in html

    def test_a_source_that_the_page_cannot_hold_is_a_sentence(self):
        cells = [new_code_cell("x" * 2000) for _ in range(10)]
        html = page(new_notebook(cells=cells), ABOUT, Limits(text=2000, outputs=40, html=5000, images=0))
        assert "were written, and the page is full." in html
        assert html.count("x" * 2000) <= 2

    def test_images_have_a_limit_of_their_own(self):
        picture = png()
        limits = Limits(text=2000, outputs=40, html=5000, images=len(picture) + 100)
        html = rendered(*[shown({"image/png": picture})] * 2, limits=limits)
        assert html.count(picture) == 1
        assert "are left out: a page holds" in html

    def test_a_picture_of_too_many_pixels_is_left_out(self):
        head = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + (60_000).to_bytes(4) * 2 + b"\x08\x02"
        html = rendered(shown({"image/png": base64.b64encode(head).decode()}))
        assert "60000 x 60000 pixels" in html

    def test_cells_without_points_have_a_limit_and_graded_ones_have_none(self):
        cells = [new_markdown_cell("m") for _ in range(1500)] + [graded()]
        html = page(new_notebook(cells=cells), ABOUT, LIMITS)
        assert "500 more cells are left out." in html
        assert "Test <code>triple</code>" in html

    @pytest.mark.parametrize(
        ("number", "words"), [(950, "950 characters"), (12_340, "12.3 kB"), (48_220_000, "48.2 MB")]
    )
    def test_sizes_in_words(self, number, words):
        assert size(number) == words


class TestPage:
    def test_a_hostile_notebook_makes_a_harmless_page(self):
        html = page(hostile_notebook(), ABOUT, LIMITS)
        ours = (
            r'<header id="top">|<section class="cell [a-z ]+" id="cell-\d+">'
            r'|<img alt="" src="data:image/svg\+xml;base64,[\w+/=]+">'
        )
        assert not FORBIDDEN.search(re.sub(ours, "", html[html.index("<body>") :]))

    def test_names_are_text(self):
        notebook = new_notebook(cells=[graded()])
        notebook.cells[0].metadata.nbgrader.grade_id = "<b>x</b>"
        html = page(notebook, {**ABOUT, "notebook": "<script>1</script>", "student": "<i>"}, LIMITS)
        assert "<script" not in html
        assert "<b>x</b>" not in html

    def test_a_refusal_stands_on_top_with_its_sentence(self):
        notebook = new_notebook(cells=[new_markdown_cell("text")])
        notebook.metadata["grading"] = {"refused": {"student": "`a.ipynb` is no notebook.", "instructor": "secret"}}
        html = page(notebook, ABOUT, LIMITS)
        assert html.index("was not graded") < html.index("<code>a.ipynb</code> is no notebook.") < html.index("<main>")
        assert "secret" not in html

    def test_an_event_leads_to_its_cell(self):
        html = page(honest_notebook(), ABOUT, LIMITS)
        assert 'The kernel ended in <code>double</code>. <a href="#cell-3">' in html
        assert 'id="cell-3"' in html

    def test_a_comment_is_rendered_as_markdown(self):
        html = page(honest_notebook(), ABOUT, LIMITS)
        assert "Well done, <math" in html

    def test_a_comment_is_there_when_the_student_used_up_the_room(self):
        cell = honest_notebook().cells[2]
        cell.outputs = [shown({"text/plain": "z" * 4000})] * 5
        html = page(new_notebook(cells=[cell]), ABOUT, Limits(text=5000, outputs=40, html=5000, images=0))
        assert "Well done" in html

    def test_outputs_that_are_no_outputs_do_not_stop_the_page(self):
        half = "\ud800"
        outputs = [
            {"output_type": "stream", "name": "stdout", "text": half},
            {"output_type": "stream"},
            {"output_type": "error", "traceback": [1, None]},
            {"output_type": "display_data", "data": {"text/html": 5, "text/plain": ["a", "b"]}},
            {"output_type": "display_data", "data": [1]},
            {"output_type": "unheard of"},
            {"output_type": "display_data", "data": {"image/png": {"a": 1}}},
            {"output_type": "display_data", "data": {RESULT_MIME_TYPE: {"solved": [], "problem": nested(400)}}},
        ]
        notebook = new_notebook(cells=[graded("x")], metadata={"grading": ["no", "dictionary"]})
        notebook.cells[0]["outputs"] = nbformat.from_dict(outputs)
        html, _ = FeedbackExporter().from_notebook_node(notebook, {"nbgrader": ABOUT})
        assert "says that it is image/png, and it is not" in html
        assert html.encode("utf-8")

    def test_a_table_of_too_many_rows_is_shown_as_its_text(self):
        html = rendered(shown({"text/html": "<table>" + "<tr><td>1</td></tr>" * 5000, "text/plain": "5000 rows"}))
        assert "5000 rows" in html
        assert "<td>" not in html

    def test_the_page_holds_no_script_and_no_address(self):
        html = page(honest_notebook(), ABOUT, LIMITS)
        assert "<script" not in html
        assert re.findall(r"(?:src|href)=\"?http\S*", html) == ['href="https://example.org">link</a></li>']


@pytest.mark.nbgrader
@pytest.mark.filterwarnings("ignore:Object of type:sqlalchemy.exc.SAWarning")  # of nbgrader's own add_submission
def test_generate_feedback_hands_out_no_hidden_test(tmp_path: Path):
    course = make_course(tmp_path / "course")
    notebook = nbformat.read(course / "solutions" / LESSON / f"{LESSON}.ipynb", as_version=4)
    hidden = "from tiny_tests import grade"
    for cell in notebook.cells:
        if cell.metadata.nbgrader.grade:
            assert hidden in cell.source
            cell.outputs = [
                error("AssertionError", "off by one", f"----> 1 {hidden}"),
                shown({"text/html": HOSTILE_HTML[0]}),
            ]
    folder = course / "autograded" / "ann" / LESSON
    folder.mkdir(parents=True)
    nbformat.write(notebook, folder / f"{LESSON}.ipynb")
    with Gradebook(f"sqlite:///{course}/gradebook.db") as gradebook:
        gradebook.add_student("ann")
        gradebook.add_submission(LESSON, "ann")
    nbgrader(course, "generate_feedback", LESSON)
    html = (course / "feedback" / "ann" / LESSON / f"{LESSON}.html").read_text(encoding="utf-8")
    assert hidden not in html
    assert "AssertionError: off by one" in html
    assert "<script" not in html
    assert "Score: 0 / 6" in html
    assert "Content-Security-Policy" in html


@pytest.mark.nbgrader
@pytest.mark.filterwarnings("ignore:Object of type:sqlalchemy.exc.SAWarning")  # of nbgrader's own add_submission
def test_what_waits_in_the_gradebook_is_noted_in_the_notebook(tmp_path: Path):
    course = make_course(tmp_path / "course")
    database = f"sqlite:///{course}/gradebook.db"
    with Gradebook(database) as gradebook:
        gradebook.add_student("ann")
        gradebook.add_submission(LESSON, "ann")
        for name, waits in (("double_test", True), ("triple_test", False)):
            gradebook.find_grade(name, LESSON, LESSON, "ann").needs_manual_grade = waits
        gradebook.db.commit()
    notebook = nbformat.read(course / "solutions" / LESSON / f"{LESSON}.ipynb", as_version=4)
    ids = {"notebook": LESSON, "assignment": LESSON, "student": "ann", "db_url": database}
    notebook, _ = GetScores().preprocess(notebook, {"nbgrader": ids})
    labels = [cell.metadata.nbgrader for cell in notebook.cells]
    noted = {label.grade_id: label.needs_manual_grade for label in labels if label.grade}
    assert noted == {"double_test": True, "triple_test": False}


def test_formgrader_shows_the_marks_of_written_answers_and_students_do_not_get_them(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "")
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", "")
    settings = PyFileConfigLoader("nbgrader_config.py", path=str(ROOT)).load_config()
    settings.HTMLExporter.template_name = "classic"
    exporter = HTMLExporter(config=settings)
    written = [
        folder.name
        for folder in (ROOT / "solutions").iterdir()
        if "*Marks.*" in (next(folder.glob("*.ipynb"))).read_text()
    ]
    assert len(written) >= 3
    for lesson in written:
        released = nbformat.read(ROOT / "lessons" / lesson / f"{lesson}.ipynb", as_version=4)
        resources = {"submission_id": "1", "assignment_id": lesson, "notebook_id": lesson}
        html, _ = exporter.from_notebook_node(released, resources)
        assert "<em>Marks.</em>" in html
        assert "1 point: " in html
        assert "1 point: " not in str(released)
        assert "1 point: " not in FeedbackExporter(config=settings).from_notebook_node(released, {"nbgrader": ABOUT})[0]


@pytest.mark.nbgrader
def test_feedback_is_released_to_those_who_can_fetch_it_and_the_others_are_named(tmp_path: Path):
    course = make_course(tmp_path / "course [1]")
    for student in ("ann", "b[o]b", "eve", "zoe"):
        folder = course / "feedback" / student / LESSON
        folder.mkdir(parents=True)
        (folder / f"{LESSON}.html").write_text(f"feedback for {student}")
        (folder / "timestamp.txt").write_text("2026-01-01 10:00:00.000000 UTC")
        if student in ("b[o]b", "zoe"):
            (folder / "submission_secret.txt").write_text(f"the secret of {student}")
    printed = " ".join(nbgrader(course, "release_feedback", LESSON).split())
    released = {path.read_text() for path in (course / "exchange" / "rnn" / "feedback").glob("*.html")}
    assert released == {"feedback for b[o]b", "feedback for zoe"}
    assert "could not fetch it: `ann`, `eve`. Hand it out yourself; it is in" in printed
    assert f"feedback/STUDENT/{LESSON}" in printed
    assert "Traceback" not in printed
    assert "not fetch" not in nbgrader(course, "release_feedback", LESSON, "--student=zoe")


def test_formgraders_own_pages_run_nothing_of_a_submissions(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "")  # reading the settings adds to these
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", "")
    hostile = "<script>x()</script><b onclick='x()'>bold</b><iframe src='//a'></iframe><a href='javascript:x()'>a</a>"
    kinds = {"text/html": hostile, "application/javascript": "x()", "text/markdown": hostile}
    outputs = [new_output("display_data", {kind: text}) for kind, text in kinds.items()]
    code = "print('<script>x()</script>')"
    notebook = new_notebook(cells=[new_markdown_cell(f"one $x^2$ {hostile}"), new_code_cell(code, outputs=outputs)])
    settings = PyFileConfigLoader("nbgrader_config.py", path=str(ROOT)).load_config()
    settings.HTMLExporter.template_name = "classic"  # which formgrader's own extends
    page, _ = HTMLExporter(config=settings).from_notebook_node(notebook)
    body = page[page.index("one $x^2$") :]
    assert "<b>bold</b>" in body
    assert '<span class="nb">print</span>' in body
    for forbidden in ("<script>x", "x()</script>", "onclick", "<iframe", "javascript:x"):
        assert forbidden not in body
