"""Everything behind `check`, `hint`, `progress` and `equations`; lessons import these four from `rnn_helpers`."""
