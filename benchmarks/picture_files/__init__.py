"""Pictures of every make through `veneer apply`: what is kept, and how exact the colours stay."""
