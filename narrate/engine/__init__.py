"""Our own decoding of the published model, for hundreds of sentences at once."""
