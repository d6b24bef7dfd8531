"""The solution, the blank lesson and a cheat, graded ahead of the class."""
