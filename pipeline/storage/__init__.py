"""Files, Parquet, DuckDB, the workspace of a run and its manifest."""
