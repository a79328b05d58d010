"""How far an inspector can be trusted: what artificial defects of known size tell."""
