"""What pages show, made from what services say. Pure: no request, no service."""
