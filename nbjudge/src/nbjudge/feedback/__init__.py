"""The page that a student gets back: nothing hidden in it, nothing that runs."""
