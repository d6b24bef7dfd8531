"""Measurements of the course's own code beside what it competes with; `python -m benchmarks.cells`.

Libraries read these variables when they are loaded, so they are set before any benchmark imports one. One thread
each: on small matrices a second thread costs more than it brings, and its share depends on what else runs.
"""

import os

os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
os.environ.update(OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1", MKL_NUM_THREADS="1", TF_CPP_MIN_LOG_LEVEL="3")
