"""Keep NumPy's matrix library to one thread: the course's matrices are small, and threads would wait for each other."""

from __future__ import annotations

from collections.abc import MutableMapping

OWN = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")  # OpenBLAS, Intel's and Apple's library
OTHERS = ("OMP_NUM_THREADS", "GOTO_NUM_THREADS", "BLIS_NUM_THREADS")  # which these libraries heed as well


def use_one_thread(environ: MutableMapping[str, str]) -> None:
    """Set the number of threads to one unless the user has set any; the libraries read it when NumPy is imported.

    On a machine whose cores are busy, a second thread makes small products slower: by a half where it was measured.
    """
    if not any(name in environ for name in (*OWN, *OTHERS)):
        environ.update(dict.fromkeys(OWN, "1"))
