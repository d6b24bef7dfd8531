"""The box around a kernel that runs a submission: what it may read, write and use up."""
