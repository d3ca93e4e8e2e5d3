"""Published counts by area and month."""
