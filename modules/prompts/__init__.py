"""What the words of a prompt mean: grammar, schedules, wildcards, tokens. Without torch: the page asks it too."""
