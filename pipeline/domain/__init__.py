"""Small values of the field that know their rules: periods, categories, bands, kinds of outcome."""
