"""How far an inspector can be trusted: what good pictures are worth, and what artificial defects of known size tell."""
