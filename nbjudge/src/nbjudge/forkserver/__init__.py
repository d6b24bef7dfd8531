"""Processes that import modules once and fork kernels from there, which start in a tenth of a second."""

ENDS_WITH_PARENT = "--IPKernelApp.parent_handle=1"  # of forked kernels: their parent ends when the grader does
