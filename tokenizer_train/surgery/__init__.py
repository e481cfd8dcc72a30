"""Vocabulary surgery: tokens dropped, swapped and added, with a proof."""
