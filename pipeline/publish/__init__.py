"""Stage 5: what people open: maps, briefings, pages, layers and tables."""
