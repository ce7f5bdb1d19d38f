"""What goes with the audio: subtitles, read-along books and manifests, from exact times."""
