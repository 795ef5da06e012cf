"""Updates of the agent: its own half (``service``), and the half that lays environments down (``slots``)."""
