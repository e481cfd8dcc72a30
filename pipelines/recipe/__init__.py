"""The recipe: a YAML file, its schema, and the stages and sources that it names."""
