"""Data sets as they are published: parts, kinds and ground truth in folders."""
