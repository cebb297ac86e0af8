"""What the project is held to, measured here: tests, figures of runs, gates of phases."""
