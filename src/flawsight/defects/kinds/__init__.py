"""Defects in thresholded noise, pasted or blended pieces, scratches and stains: one file per kind."""
