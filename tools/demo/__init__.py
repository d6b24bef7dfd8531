"""A simulated class: students whose answers are drawn from solutions, known mistakes and accepted variants."""
