"""Pages about a run and its folders: the analyst's front door, and how people are protected in one folder.

`front_door.front_door` is internal; `protection.write_protection` writes protection.html of a profile. Both gather
values here, and the templates in `templates/pages` lay them out and take the words from the catalogue.
"""
