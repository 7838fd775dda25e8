"""Sections of the configuration that stand beside ``gateway.config``."""
