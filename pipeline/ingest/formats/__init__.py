"""How tables get in: one reader a format, each with its limits."""
