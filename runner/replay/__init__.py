"""Histories of other loops, read and judged: which of their keeps stand out of the noise."""
