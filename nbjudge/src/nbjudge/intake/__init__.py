"""A submission read as data, before anything of it runs: what is repaired, what is refused."""
