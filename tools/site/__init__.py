"""The course's website: its lessons as a book, with the outputs of the solved notebooks and without the solutions."""
