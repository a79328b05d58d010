"""Files of all kinds, opened: what their headers say, and their values as they are stored."""
