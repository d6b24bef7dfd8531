"""The sandbox of a submission's kernel: what it may read, write and consume."""
