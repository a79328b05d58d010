"""The section that says how far an inspector can be trusted."""
