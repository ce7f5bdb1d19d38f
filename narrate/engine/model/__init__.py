"""The two transformers, talker and code predictor, as functions over their weights."""
