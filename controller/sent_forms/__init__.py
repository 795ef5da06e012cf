"""What was sent from pages, so that a form whose answer was lost and that is sent again is done once."""
