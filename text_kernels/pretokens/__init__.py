"""Pretokens, the pieces that byte-pair encoding works within: cutting and counting them."""
