"""Who said yes to what: requests, yeses that bind a content, a target and a window, and who listened to it."""
