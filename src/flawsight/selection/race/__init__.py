"""The race of candidates: a coarse round for all, a full one for those that may still win, while there is time."""
