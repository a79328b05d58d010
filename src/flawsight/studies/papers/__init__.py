"""A file or folder for each paper: its grids, how their units are measured, its tables and figures."""
