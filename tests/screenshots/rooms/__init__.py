"""The lines of the table of pictures, a file for each part of the pages: ``SHOTS``."""
