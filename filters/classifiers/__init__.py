"""Quality classifiers: stages that train a classifier, score documents by it, and decide by a threshold."""
