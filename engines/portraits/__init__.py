"""Networks that make pictures from noise: loading and sampling them."""
