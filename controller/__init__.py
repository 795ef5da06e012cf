"""What runs at the centre. One folder per noun, one file per role."""
