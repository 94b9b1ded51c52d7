"""What the votes say: win rates with intervals, verdicts, and the ranking of all models of a run."""
