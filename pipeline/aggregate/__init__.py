"""Stage 2: rows become counts by area, month and category, and distinct places with their weights."""
