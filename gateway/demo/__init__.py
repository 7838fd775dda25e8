"""The demo: the production gateway, a simulated city over real MQTT, and the customers' phones."""
