"""Run one notebook: plan its cells, start the kernels, and keep what the cells did."""
