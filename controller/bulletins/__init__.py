"""What is to be said: bulletins, their versions, and one voice a language."""
