"""The customers' phones of the demo, and the provider they are reached through.

A separate HTTP server that speaks Twilio's wire format and an SMTP server, so that the gateway reaches them with the
transports it has in production and only the addresses differ; a page shows each phone as its owner sees it.
"""

from simulator.phones.server import PhonesAddresses, PhonesServer

__all__ = ["PhonesAddresses", "PhonesServer"]
