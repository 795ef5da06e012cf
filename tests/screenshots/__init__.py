"""The pages' pictures, taken anew by a script: ``make screenshots``."""
