"""Read untrusted submissions as data: inspect, repair or refuse them before anything runs."""
