"""How detectors are fed and trained: passes over images, pairs with synthetic defects, the training loop."""
