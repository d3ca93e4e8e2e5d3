"""Stage 2: rows are reduced to counts by area, month and category, and to distinct places with weights."""
