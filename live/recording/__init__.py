"""Video files and pictures on disk: recording, snapshots, and looks applied to files."""
