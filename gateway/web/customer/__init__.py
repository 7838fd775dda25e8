"""The customer's own page: public, signed, in their language, and working without JavaScript."""
