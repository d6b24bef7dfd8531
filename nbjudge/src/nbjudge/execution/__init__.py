"""Running one submission: its notebook in a kernel, here, in a worker of this machine or on another one."""
