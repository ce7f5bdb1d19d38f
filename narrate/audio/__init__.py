"""Audio: takes on disk, and the streams that make chapters and books of them."""
