"""Words, sentences and phrases: where they begin and end in a text."""
