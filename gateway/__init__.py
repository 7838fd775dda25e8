"""The service around the pure core: broker, pipeline, store, outbox, history, web and command line."""
