"""Render the report as one HTML file without scripts or external resources."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from nbjudge.autograde.canary_policy import judging_remarks
from nbjudge.report import exports, formatting, item_analysis, plots, similarity
from nbjudge.report.model import Classroom, Event
from nbjudge.report.people import People, breakable
from nbjudge.text import single_line, with_code

_TEMPLATES = Path(__file__).parent / "templates"
MOST_LISTED = 100  # students in one list; the others are counted, and listed in scores.csv
SHORT = 10  # lists of up to this length are expanded
_SLOWEST = 10
_MOST_KINDS = 20  # of events

# Labels of the grader's event kinds; other kinds are shown unchanged.
_EVENT_LABELS = {
    "died": "The process ended (crash or exit)",
    "timeout": "Stopped: it took too long",
    "memory": "Out of memory",
    "flood": "Too much output",
    "skipped": "Cells not run after a stop",
    "not judged": "Exercise not judged",
    "restart": "The kernel did not start again",
    "no credit": "The tests gave an impossible number of points",
}


def page(classroom: Classroom, folder: Path | None = None) -> str:
    """Return the report as HTML.

    folder: where it will be written, for links to the feedback; without it there are none
    """
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    environment.filters.update(
        points=formatting.number,
        plain=lambda sentence: with_code(single_line(sentence)),
        called=breakable,
        short=formatting.name,
        took=formatting.duration,
        percent=lambda share: f"{100 * share:.0f} %",
    )
    people = People(classroom, folder)
    environment.globals.update(
        count=formatting.count, names=people.names, who=people.who, SHORT=SHORT, MOST_LISTED=MOST_LISTED
    )
    css = (_TEMPLATES / "report.css").read_text(encoding="utf-8")
    html = environment.get_template("report.html").render(css=Markup(css), **view(classroom))
    return html.encode("utf-8", "replace").decode("utf-8")  # an unpaired surrogate cannot be written to a file


def view(classroom: Classroom) -> dict[str, Any]:
    """Return the template's variables."""
    totals = [student.total for student in classroom.students]
    return {
        "room": classroom,
        "about": item_analysis.summary(totals),
        "scores_plot": plots.scores(totals, classroom.possible),
        "late": sum(student.penalty > 0 for student in classroom.students),
        "settled": len(exports.finalized_students(classroom)),
        **_exercises(classroom),
        **_mistakes(classroom),
        **_attention_lists(classroom),
        **_times(classroom),
        "isolation": item_analysis.isolation(classroom),
        "remarks": [*judging_remarks(classroom.judging), *classroom.remarks],
    }


def _exercises(classroom: Classroom) -> dict[str, Any]:
    items, class_map = item_analysis.items(classroom), item_analysis.score_map(classroom)
    map_plot = plots.class_map(class_map, [exercise.label for exercise in classroom.exercises])
    ranked = sorted(classroom.students, key=lambda student: (-student.earned, student.id))
    return {
        "items": items,
        "items_plot": plots.difficulty(items),
        "least": item_analysis.LEAST_STUDENTS,
        "map": class_map,
        "map_plot": map_plot,
        "map_width": plots.width(map_plot),
        "rows": ranked if len(ranked) <= item_analysis.MOST_ROWS else [],
        "run": sum(not student.refused for student in classroom.students),
    }


def _mistakes(classroom: Classroom) -> dict[str, Any]:
    counts = item_analysis.mistakes(classroom)
    most = max((len(mistake.students) for mistake in counts), default=1)
    return {
        "mistakes": [mistake for mistake in counts if mistake.is_named],
        "unnamed": [mistake for mistake in counts if not mistake.is_named],
        "most": most,
        "makers": len({student for mistake in counts if mistake.is_named for student in mistake.students}),
    }


def _attention_lists(classroom: Classroom) -> dict[str, Any]:
    """Return the bounded lists of students and answers that need the instructor's attention."""
    groups, common = similarity.groups(classroom.students)
    waiting = [
        (exercise, [student for student in classroom.students if exercise in student.waiting])
        for exercise in classroom.exercises
    ]
    return {
        "refused": [student for student in classroom.students if student.refused],
        "events": [
            (_EVENT_LABELS.get(what, what), [(student, _sentences(events)) for student, events in students])
            for what, students in item_analysis.by_kind(classroom)[:_MOST_KINDS]
        ],
        "repaired": [student for student in classroom.students if student.repairs and not student.refused],
        "unread": [student for student in classroom.students if student.unread],
        "waiting": [(exercise, students) for exercise, students in waiting if students],
        "groups": groups,
        "common": common,
        "least_nodes": similarity.LEAST_NODES,
        "least_words": similarity.LEAST_WORDS,
    }


def _sentences(events: list[Event]) -> list[tuple[str, str]]:
    """Return (cell, sentence) of the first three distinct events."""
    return list(dict.fromkeys((event.cell, event.sentence) for event in events))[:3]


def _times(classroom: Classroom) -> dict[str, Any]:
    graded = [(student.seconds, student) for student in classroom.students if student.seconds is not None]
    seconds = [value for value, _ in graded]
    slowest = sorted(graded, key=lambda pair: (-pair[0], pair[1].id))[:_SLOWEST]
    return {
        "timed": item_analysis.summary(seconds) | {"number": len(seconds), "sum": sum(seconds)} if seconds else {},
        "times_plot": plots.times(seconds) if seconds else "",
        "slowest": slowest,
    }
