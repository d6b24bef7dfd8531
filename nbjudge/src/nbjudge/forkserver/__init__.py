"""Fork server: import modules once and fork kernels, which then start in a tenth of a second."""

ENDS_WITH_PARENT = "--IPKernelApp.parent_handle=1"  # for forked kernels, whose parent ends with the grader
