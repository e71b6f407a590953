"""Drawing: from planes of colour, shade and ink to a picture at the frame's resolution."""
