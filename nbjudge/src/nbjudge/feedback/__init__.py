"""The feedback page for students, without hidden tests and scripts."""
