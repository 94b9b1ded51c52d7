"""The ground of script mode: a repository's files changed, run under a budget, read and remembered."""
