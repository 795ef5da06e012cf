"""The operator's pages: views, templates, static files."""
