"""What helps with a page: short plain texts, a file for each topic and language. The guide is made of the same ones."""
