"""The tokenizer report: tokenizers compared on one corpus."""
