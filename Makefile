# Each target is one line that also works by hand; README.md lists them for Windows too.
include tools/student.mk

.PHONY: test test-fast test-night build check pins site student-edition benchmarks clean

# Run each test file on one worker, so that its fixtures are created only once, in the order of tests/conftest.py.
PYTEST := OPENBLAS_NUM_THREADS=1 TF_NUM_INTRAOP_THREADS=1 TF_NUM_INTEROP_THREADS=1 $(VENV) -m pytest -n 2 --dist loadfile --no-loadscope-reorder

# An expression replaces the one in pyproject.toml; this one selects all tests, and works in Windows' shells ("" does not).
test: $(DEV)  ## run every test
	$(PYTEST) -m "slow or not slow"

test-fast: $(DEV)  ## run the fast tests, three of four, in about two minutes
	$(PYTEST)

test-night: $(DEV)  ## run every test on more cases: all attacks, more seeds, longer trainings (hours)
	TEST_TIER=night $(PYTEST) -m "slow or not slow"

build: $(DEV)  ## write solutions/, lessons/ and the fixtures from source/
	$(VENV) -m tools.build

check: $(DEV)  ## check style, types and that the built files are up to date
	$(VENV) -m tools.check

pins: $(DEV)  ## update constraints.txt to the newest releases; then run `make test`
	$(VENV) -m tools.pins

site: $(DEV)  ## write dist/site: all lessons as a website, for any static host
	$(VENV) -m tools.site $(LESSON)

student-edition: $(DEV)  ## write dist/rnn-course-student.zip: the course without its answers
	$(VENV) -m tools.student_edition

benchmarks: $(DEV)  ## measure the cells against NumPy's own products and Keras
	OPENBLAS_NUM_THREADS=1 $(VENV) -m benchmarks.cells
	$(VENV) -m benchmarks.helpers

clean:  ## remove what tools made; never work/ and never .venv/
	rm -rf dist build *.egg-info .mypy_cache .pytest_cache .ruff_cache
	find rnn_helpers autograde_tests nbjudge rnn_course tools tests benchmarks -name __pycache__ -prune -exec rm -rf {} +
