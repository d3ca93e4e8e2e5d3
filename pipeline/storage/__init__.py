"""Files, Parquet, DuckDB, the workspace of a run and its manifest. Nothing is exported: import from the module."""
