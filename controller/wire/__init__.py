"""Everything between rows and MQTT: keys, broker, bridge, dispatcher, ingest. No HTTP, no rules of other rooms."""
