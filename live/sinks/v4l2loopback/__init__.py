"""v4l2loopback, the Linux virtual camera driver: device access, readers, and the picture shown without a writer."""
