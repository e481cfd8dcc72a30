"""The encoder: text to ids and back."""
