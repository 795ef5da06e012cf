"""What the node looks at by itself: one fault, one file. Each says how often it looks."""
