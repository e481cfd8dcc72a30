"""BPE training: counting pretokens, learning merges, building vocabularies."""
