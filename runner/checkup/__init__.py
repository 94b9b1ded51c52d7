"""The checkup: what must be true of a run at any moment, whether it is, and what can be repaired without loss."""
