"""How figures and scraped text are shown: on a terminal, on a page, as a plot."""
