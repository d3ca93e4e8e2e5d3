"""Stage 4: statistical disclosure control of published counts, in the terms of Hundepool et al. (2012).

Every count of a released folder, totals too, is given as the step that it lies in, each by itself; all values of every
step shown remain possible for a reader who has this code, every earlier folder and what the source publishes. Counts
for which that cannot be had are not offered. Nothing reaches a released folder but through `gate`.

* `gate`: `examine` takes one profile through; only it can make a `released.Released`.
* `steps`: a count as its step, and when a row of counts has room for all values.
* `offer`: which counts are offered: what never is, the row rule, and the audit that verifies both.
* `protect`: steps, or for whoever has a written reason exact numbers (`suppression`, `audit`) or noise; what
  release.json reports.
* `linked_tables`: the cells of a release and the relations between them, for suppression and noise.
* `detail`: whether a category is given by ward, by group of neighbouring wards or by borough.
* `known_tables`, `earlier_releases`, `calendar`, `ledger`, `sketches`: what readers hold beside this release, and when
  they get more.
* `hotspots`, `circumstances` (with `offered_values`), `figures`: outlines, descriptions and derived figures that may be
  shown.

Names are imported from the module they stand in, not from here: a run that has nothing to do opens `ledger` and must
not load NumPy, pandas and the solver for it.
"""
