"""Submissions that bring files, or reach for those of others: shadowing modules, links, start-up files, solutions."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from .corpus import Attack, cheat, honest
from .course import LESSON, WRONG
from .introspection import KEEP

FAKE_NUMPY = """import sys
class Fake:
    def __getattr__(self, name):
        return self
    __call__ = lambda self, *a, **k: self
    __eq__ = __lt__ = __bool__ = lambda self, *a: True
    __sub__ = __abs__ = lambda self, *a: self
sys.modules['numpy'] = Fake()
"""
PATCH = (
    "import numpy.testing as t\nt.assert_allclose = lambda *a, **k: None\nimport builtins\nbuiltins.abs = lambda x: 0\n"
)
UNDESERVED = "open('@DROP@/ran-outside', 'a').write('unde' 'served')\n"


def link(name: str, target: str, hard: bool = False) -> Callable[[Path, Path], None]:
    """Return what puts a link into a submission's folder, to a path that starts at the course's folder."""

    def put(folder: Path, course: Path) -> None:
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.unlink(missing_ok=True)
        (os.link if hard else os.symlink)(course / target, place)

    return put


def brings(name: str, **files: str) -> Attack:
    return Attack(name, dict(WRONG), files={path.replace("__", "/"): text for path, text in files.items()})


def shadow(name: str, path: str, text: str) -> Attack:
    return Attack(name, WRONG, files={path: text})


def reads(name: str, code: str) -> Attack:
    return cheat(
        name,
        f"{KEEP}import glob, pathlib\ntry:\n"
        + "\n".join(f"    {x}" for x in code.splitlines())
        + "\nexcept OSError as error:\n    print(error)",
    )


def pipe(folder: Path, _course: Path) -> None:
    os.mkfifo(folder / "pipe.txt")


def unreadable(folder: Path, _course: Path) -> None:
    (folder / "closed").mkdir()
    (folder / "closed" / "file").write_text("x")
    (folder / "closed").chmod(0)


SOURCE = f"solutions/{LESSON}/{LESSON}.ipynb"
NOTEBOOK = f"{LESSON}.ipynb"
# A submission that is a link to the solution has no answers of its own, and deserves nothing.
ATTACKS = [
    shadow("own numpy", "numpy.py", FAKE_NUMPY),
    shadow("own numpy package", "numpy/__init__.py", FAKE_NUMPY),
    shadow("own numpy testing", "numpy/testing.py", "assert_allclose = lambda *a, **k: None"),
    shadow("own math", "math.py", PATCH),
    shadow("own ipykernel", "ipykernel/__main__.py", PATCH + UNDESERVED),
    shadow("own ipykernel_launcher", "ipykernel_launcher.py", UNDESERVED),
    shadow("own IPython", "IPython/__init__.py", UNDESERVED),
    shadow("own zmq", "zmq.py", UNDESERVED),
    shadow("own nbjudge", "nbjudge/__init__.py", UNDESERVED),
    shadow("own json", "json.py", UNDESERVED),
    shadow("sitecustomize", "sitecustomize.py", PATCH + UNDESERVED),
    shadow("usercustomize", "usercustomize.py", PATCH + UNDESERVED),
    shadow("path file", "evil.pth", "import sys; " + UNDESERVED),
    shadow("own nbgrader settings", "nbgrader_config.py", UNDESERVED),
    shadow("own jupyter settings", "jupyter_config.py", UNDESERVED),
    shadow("own ipython settings", "ipython_config.py", "c.InteractiveShellApp.exec_lines = ['abs = lambda x: 0']"),
    shadow("own ipython folder", ".ipython/profile_default/startup/00.py", PATCH),
    shadow("own kernelspec", ".local/share/jupyter/kernels/python3/kernel.json", '{"argv": ["/bin/true"]}'),
    shadow("matplotlibrc", "matplotlibrc", "backend: module://evil"),
    shadow("compiled module", "__pycache__/numpy.cpython-311.pyc", "not compiled"),
    shadow("conftest", "conftest.py", UNDESERVED),
    shadow("forged timestamp", "timestamp.txt", "9999-99-99 not a time"),
    shadow("timestamp with a zone", "timestamp.txt", "2020-01-01 00:00:00 ../../../../etc/passwd"),
    Attack("link to the solution", WRONG, folder=link(NOTEBOOK, SOURCE)),
    Attack("hard link to the solution", WRONG, folder=link(NOTEBOOK, SOURCE, hard=True)),
    Attack("link to the gradebook", WRONG, folder=link("data.csv", "gradebook.db")),
    Attack("hard link to the gradebook", WRONG, folder=link("data.csv", "gradebook.db", hard=True)),
    Attack("link to the course", WRONG, folder=link("course", ".")),
    Attack("link to itself", WRONG, folder=link("again/again", "submitted")),
    Attack(
        "link to the salt", WRONG | {"mean": "print(open('salt.txt').read())"}, folder=link("salt.txt", ".course_salt")
    ),
    Attack("link to nothing", WRONG, folder=link("nothing", "not/there")),
    Attack("pipe", WRONG, folder=pipe),
    Attack("folder without permissions", WRONG, folder=unreadable),
    reads(
        "read the solution",
        f"source = open('@COURSE@/{SOURCE}').read()\nkeep(source)\nimport json\n"
        "for cell in json.loads(source)['cells']:\n    if 'BEGIN SOLUTION' in ''.join(cell['source']):\n"
        "        exec(''.join(cell['source']), globals())",
    ),
    reads(
        "read classmates",
        "for path in glob.glob('@COURSE@/submitted/*/*/*.ipynb') + "
        "glob.glob('@COURSE@/autograded/*/*/*.ipynb'):\n    keep(open(path).read())",
    ),
    reads("read the salt", "keep(open('@COURSE@/.course_salt').read())"),
    reads(
        "read notebooks around",
        "for path in glob.glob('**/*', recursive=True) + glob.glob('../**/*.ipynb', "
        "recursive=True) + glob.glob('/tmp/*/**/*.ipynb', recursive=True):\n"
        "    if 'ipynb' in path:\n        keep(path, open(path).read())",
    ),
    reads("read the own graded notebook", f"keep(open('{NOTEBOOK}').read())"),
    reads(
        "look through /proc",
        "for path in glob.glob('/proc/[0-9]*'):\n    for name in ('environ', 'cmdline'):\n"
        "        try:\n            keep(open(f'{path}/{name}').read())\n        except OSError:\n            pass",
    ),
    reads(
        "open files of others",
        "for path in glob.glob('/proc/[0-9]*/fd/*'):\n    try:\n"
        "        if 'gradebook' in os.readlink(path) or 'ipynb' in os.readlink(path):\n"
        "            keep(open(path, 'rb').read())\n    except OSError:\n        pass",
    ),
    *(
        reads(f"look at {path}", f"assert open('{path}').read()\nprint('unde' + 'served')")
        for path in (
            "/proc/net/unix",
            "/proc/net/tcp",
            "/proc/self/net/unix",
            "/proc/thread-self/net/dev",
            "/proc/self/mountinfo",
            "/proc/self/mounts",
            "/proc/self/cgroup",
            "/proc/sys/kernel/hostname",
            "/etc/passwd",
        )
    ),
    reads(
        "leave a start-up file",
        "for home in (os.path.expanduser('~'), os.environ.get('IPYTHONDIR', '.'), '@COURSE@'):\n"
        "    path = pathlib.Path(home, '.ipython/profile_default/startup')\n"
        "    path.mkdir(parents=True, exist_ok=True)\n"
        "    (path / '00.py').write_text(\"open('@DROP@/started', 'w').write('unde' 'served')\")",
    ),
    reads("change the settings", "open('@COURSE@/nbgrader_config.py', 'a').write('\\nraise SystemExit(3)\\n')"),
    reads("change the solution", f"open('@COURSE@/{SOURCE}', 'a').write(' ')"),
    reads(
        "open the installation for writing",
        "import numpy\nopen(numpy.__file__, 'a').close()\nopen('@DROP@/w', 'w').write('unde' 'served')",
    ),
    reads(
        "leave links behind", f"os.symlink('@COURSE@/gradebook.db', 'seen.png')\nos.link('@COURSE@/{SOURCE}', 'x.txt')"
    ),
    reads(
        "replace the own notebook",
        f"for name in ('{NOTEBOOK}', '@COURSE@/submitted/x'):\n    open(name, 'w').write('{{}}')",
    ),
    reads(
        "remove the submissions",
        "import shutil\nshutil.rmtree('@COURSE@/submitted', ignore_errors=True)\n"
        "shutil.rmtree('@COURSE@/autograded', ignore_errors=True)",
    ),
    honest("module named like the lesson", files={f"{LESSON}.py": "x = 1"}),
    honest("test file beside", files={"test_mine.py": "def test_mine():\n    assert True", "gradebook.db": "my notes"}),
]
