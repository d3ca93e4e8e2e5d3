"""Numbers from elsewhere: published tables, other libraries, independent computations."""
