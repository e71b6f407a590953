"""From the source to the sinks: threads, hand-over slots, frames, timing."""
