"""What the pages show, as plain values: no browser, no NiceGUI."""
