"""The pages: each reads what it needs from the services and fills its template."""
