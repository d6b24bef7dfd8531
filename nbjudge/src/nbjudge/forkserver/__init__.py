"""Processes that import once and fork often: a kernel from one of them starts in a tenth of a second."""

ENDS_WITH_PARENT = "--IPKernelApp.parent_handle=1"  # of forked kernels: their parent ends when the grader does
