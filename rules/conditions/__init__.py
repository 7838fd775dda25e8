"""What a condition may say beyond CEL itself, and the short cuts by which it is decided."""
