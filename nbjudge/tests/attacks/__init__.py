"""Submissions that attack the grading, and honest ones that look odd: see corpus.py for how one is written down."""
