"""Speech: backends that turn utterances into samples, behind one Protocol."""
