# What a student needs. The Makefile includes this file; the student edition has it as its Makefile.
PYTHON ?= python3
VENV := .venv/bin/python
LAB := .venv/installed
DEV := .venv/installed-dev

.DEFAULT_GOAL := help
.PHONY: help lab fresh $(LAB) $(DEV)
# They change the interpreter or its search path; the module system of a cluster may set them.
unexport PYTHONHOME PYTHONPATH PYTHONSAFEPATH PYTHONPLATLIBDIR PYTHONOPTIMIZE

help:  ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## */  make \1 \t/' | expand -t 26

lab: $(LAB)  ## set up what is missing and open JupyterLab; LESSON=02_unrolling opens that lesson, JUPYTER_PORT=9000 takes that port
	$(VENV) -m tools.lab $(LESSON)

fresh: $(LAB)  ## put a new copy of a lesson, such as LESSON=01_recurrence, into work/ and keep the old one
	$(VENV) -m tools.fresh $(LESSON)

# Check the environment before each target: this takes a moment, and anything that is wrong gets repaired.
$(LAB):
	$(call set_up,)

$(DEV):
	$(call set_up,dev)

define set_up
@if $(PYTHON) -c "" 2>/dev/null; then $(PYTHON) -m tools.environment $(1); \
elif $(VENV) -c "" 2>/dev/null; then $(VENV) -m tools.environment $(1); \
else echo "$(PYTHON) is not on this machine. Install Python 3.11, 3.12 or 3.13, or name yours: make PYTHON=/path/to/python3.12"; exit 1; fi
endef
