"""Submissions that reach for the gradebook: to read it, to write in it, to lock it, to remove it."""

from .corpus import Attack, cheat
from .introspection import KEEP

OPEN = "import sqlite3, glob\nbook = sqlite3.connect('@COURSE@/gradebook.db', timeout=1)\n"


def harms(name: str, code: str) -> Attack:
    """Return a cheat that does `code`, and only prints what stops it."""
    body = "\n".join(f"    {line}" for line in code.splitlines())
    return cheat(name, f"{KEEP}try:\n{body}\nexcept Exception as error:\n    print(type(error), error)")


ATTACKS = [
    harms("read the marks", OPEN + "keep(*book.iterdump())"),
    harms("read the file", "keep(open('@COURSE@/gradebook.db', 'rb').read().decode('latin-1'))"),
    harms(
        "read it read-only",
        "import sqlite3\nbook = sqlite3.connect('file:@COURSE@/gradebook.db?mode=ro&immutable=1', "
        "uri=True)\nkeep(*book.iterdump())",
    ),
    harms("read hidden tests from it", OPEN + "keep(*book.execute('select source from source_cell'))"),
    harms(
        "set own marks",
        OPEN + "book.execute('update grade set manual_score = 4, needs_manual_grade = 0')\nbook.commit()",
    ),
    harms("extra credit", OPEN + "book.execute('update grade set extra_credit = 50')\nbook.commit()"),
    harms("more points", OPEN + "book.execute('update grade_cells set max_points = 0')\nbook.commit()"),
    harms("easier tests", OPEN + "book.execute(\"update source_cell set source = 'pass'\")\nbook.commit()"),
    harms(
        "zero a classmate", OPEN + "book.execute('update grade set auto_score = 0, manual_score = 0')\nbook.commit()"
    ),
    harms("drop a table", OPEN + "book.execute('drop table grade')\nbook.commit()"),
    harms("rename a student", OPEN + "book.execute(\"update student set first_name = 'x'\")\nbook.commit()"),
    harms("lock it", OPEN + "book.execute('begin exclusive')\nkept = book"),
    harms(
        "lock it in a thread",
        "import fcntl\nkept = open('@COURSE@/gradebook.db', 'r+b')\n"
        "fcntl.lockf(kept, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, 0x40000000)",
    ),
    harms("lock by a journal", "open('@COURSE@/gradebook.db-journal', 'wb').write(b'x' * 512)"),
    harms("remove it", "os.remove('@COURSE@/gradebook.db')"),
    harms("empty it", "open('@COURSE@/gradebook.db', 'w').close()"),
    harms("rename it", "os.rename('@COURSE@/gradebook.db', '@COURSE@/old.db')"),
    harms("close it", "os.chmod('@COURSE@/gradebook.db', 0)\nos.chmod('@COURSE@', 0)"),
    harms(
        "through nbgrader",
        "from nbgrader.api import Gradebook\nwith Gradebook('sqlite:///@COURSE@/gradebook.db') as b:\n"
        "    for student in b.students:\n        keep(student.first_name, student.score)\n"
        "    for grade in b.db.query(__import__('nbgrader.api', fromlist=['x']).Grade):\n"
        "        grade.extra_credit = 9\n"
        "    b.db.commit()",
    ),
    harms(
        "found by walking",
        "for start in ('..', '../..', '../../..', '/tmp'):\n"
        "    for path in glob.glob(f'{start}/**/gradebook.db', recursive=True):\n"
        "        keep(open(path, 'rb').read().decode('latin-1'))".replace("for start", "import glob\nfor start", 1),
    ),
]
