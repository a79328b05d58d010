"""How the product's own rules were chosen: on stand-ins that no other figure is about, never on the seven products."""
