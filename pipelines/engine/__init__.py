"""The engine: plans passes over a corpus and runs them on Ray or in this process."""
