"""Questions to a finished run, answered from its files."""
