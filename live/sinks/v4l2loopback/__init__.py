"""The Linux virtual camera driver: its devices, its readers, and the picture for readers without a writer."""
