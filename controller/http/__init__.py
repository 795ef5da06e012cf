"""What all routes share: middleware, who asks, the event stream."""
