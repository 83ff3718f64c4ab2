"""How often and how much at a time is looked at."""

ROWS_SECONDS, SHELF_SECONDS = 30.0, 600.0
"""How often is looked at what asks the database, and what lists a shelf."""
SHELF_PAGE = 10_000
"""How many breaches one listing of a shelf may find: each page costs a whole one."""
