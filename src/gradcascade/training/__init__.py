"""The nano family: decoders of Pico's shape trained on source text, with their fields recorded."""
