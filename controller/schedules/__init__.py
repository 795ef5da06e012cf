"""When programmes air: recurrence, exceptions, calendars; rolled out into broadcasts."""
