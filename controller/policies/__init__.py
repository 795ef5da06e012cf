"""What an area allows: windows, quiet hours, lengths, counts, who must approve. Inherited down the tree."""
