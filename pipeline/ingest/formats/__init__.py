"""File formats: one module a reader, and in `files` what all of them share. The list is `storage.formats.FORMATS`."""
