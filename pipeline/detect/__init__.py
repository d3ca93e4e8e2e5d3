"""Stage 3: where incidents concentrate, by density, clusters and tests of significance."""
