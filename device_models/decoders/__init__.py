"""Readers of what real ecosystems publish: one small module each, behind one protocol."""
