"""nbgrader's settings for this course. Run nbgrader's commands from the folder that holds this file."""

import os
import sys
from pathlib import Path

from nbjudge.bytecode import remove_damaged

remove_damaged(Path(sys.modules["nbjudge"].__path__[0]))  # or what a full disk has cut off could not be imported

from nbjudge.autograde.converter import put_in_place  # noqa: E402
from nbjudge.environment import prepend, usable_folder, use_tensorflow  # noqa: E402
from nbjudge.patches import take_path_literally  # noqa: E402
from nbjudge.sandbox.provisioner import plug_in  # noqa: E402

HERE = Path(__file__).resolve().parent
c = get_config()  # type: ignore[name-defined]  # noqa: F821  (nbgrader provides it)

# What nbgrader and its kernels find around them.
prepend("PATH", Path(sys.executable).parent)  # a new gradebook runs the program `alembic`
prepend("PYTHONPATH", HERE)  # kernels grade with the packages beside this file, wherever the course is installed from
prepend("JUPYTER_CONFIG_PATH", HERE)  # the assignment list reads the settings again from inside work/
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # two threads on small matrices are slower than one
use_tensorflow(os.environ)  # with its own settings, as lessons do

# Where everything is: solutions -> lessons -> exchange -> work -> exchange -> submitted -> autograded -> feedback
c.CourseDirectory.course_id = "rnn"
c.CourseDirectory.root = str(HERE)
c.CourseDirectory.source_directory = "solutions"
c.CourseDirectory.release_directory = "lessons"
c.Exchange.root = usable_folder(HERE / "exchange", "release, fetch, submit and collect")
c.Exchange.assignment_dir = usable_folder(HERE / "work", "fetch and submit")

# lessons/ is built and committed, so generate_assignment always finds it there and may always replace it.
c.GenerateAssignment.force = True
c.ClearSolutions.code_stub = {"python": "# Your code goes here, instead of the next line.\nraise NotImplementedError()"}
c.ClearSolutions.text_stub = "YOUR ANSWER HERE"

# Grading: first the canaries, then a clean copy of each submission; what it writes to stderr costs no point.
put_in_place()
take_path_literally(HERE)
c.Execute.timeout = 120  # seconds for one cell; a slow machine should not cost points
c.Run.total_seconds = 900  # for one notebook with all its cells
c.Run.withheld = ["keras", "tensorflow", "torch", "rnn_helpers.cells"]  # from answers whose test is tagged from-scratch
c.Autograde.autograde_preprocessors = [
    "nbjudge.execution.preprocessor.Run",
    "nbjudge.autograde.preprocessors.StderrAsStdout",
    "nbgrader.preprocessors.IgnorePattern",
    "nbconvert.preprocessors.ClearMetadataPreprocessor",
    "nbgrader.preprocessors.LimitOutput",
    "nbgrader.preprocessors.CheckCellMetadata",
    "nbjudge.autograde.scoring.Record",  # in the place of SaveAutoGrades and AssignLatePenalties
]

# Kernels that grade a submission run in a box; docs/threat_model.md says what it keeps out, and what it does not.
plug_in()
c.BoxedProvisioner.required = os.environ.get("RNN_COURSE_REQUIRE_ISOLATION", "0") not in ("", "0")
c.BoxedProvisioner.packages = [str(HERE / "rnn_helpers")]  # what lessons import; the hidden tests stay outside
c.BoxedProvisioner.hidden = ["autograde_tests"]
c.BoxedProvisioner.memory_mb = 4096
c.BoxedProvisioner.cpu_seconds = 1800

# Feedback: a page of one file that runs and loads nothing and shows no hidden test.
c.GenerateFeedback.preprocessors = ["nbgrader.preprocessors.GetGrades"]
c.GenerateFeedback.exporter_class = "nbjudge.feedback.exporter.FeedbackExporter"
# Formgrader's pages show what submissions printed and wrote: cleaned.
c.HTMLExporter.sanitize_html = True
c.TemplateExporter.filters = {"clean_html": "nbjudge.feedback.sanitize.clean_for_formgrader"}
