"""The networks that detectors train: modules of torch, which know nothing of images or of fitting."""
