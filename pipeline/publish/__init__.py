"""Stage 5: what people open: maps, briefings, pages, layers and tables.

Every part takes a `Released`, which only the gate makes, and writes files into one folder:

- `map.write_map`: the interactive map, `index.html`
- `briefings.write_briefings`: briefings of boroughs, the panel page, the pages of circumstances
- `pages.protection.write_protection`: how people are protected in that folder
- `exports.write_exports`: GeoJSON, GeoPackage, CSV, metadata and release.json

`words` holds the catalogue of words, `templates` the pages of Jinja2. `pages.front_door` is the analyst's page about
the whole run. `page`, `palette`, `words`, `charts` and `findings` are shared by the pages.
Nothing is imported here: the terminal needs `words` alone, without the libraries for maps.
"""
