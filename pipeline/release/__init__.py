"""Stage 4: statistical disclosure control of published counts, in the terms of Hundepool et al. (2012).

Every count of a released folder, including totals, is given as the step that it lies in. All values of every step shown
remain possible for a reader who has this code, every earlier folder and what the source publishes. Counts for which
this cannot be achieved are not offered. Only `gate` can release anything to a folder.

* `gate`: `examine` applies disclosure control to one profile; only it can create a `released.Released`.
* `steps`: a count as its step, and the condition under which all values of a row's steps remain possible.
* `offer`: which counts are offered: those that never are, the row rule, and the audit that verifies both.
* `protect`: steps, or with a written reason exact numbers (`suppression`, `audit`) or noise; known tables; what
  release.json reports.
* `linked_tables`: the cells of a release and the relations between them, for every mechanism.
* `detail`: whether a category is given by ward, by group of neighbouring wards or by borough.
* `earlier_releases`, `calendar`, `ledger`: what readers already hold, and when new numbers are released.
* `hotspots`, `circumstances`, `figures`: outlines, circumstances and derived figures that may be shown.

Import names from their own modules, not from here: a run in which nothing has changed opens only `ledger`, and must not
load NumPy, pandas and the solver for that.
"""
