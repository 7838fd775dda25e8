"""What a lead has while writing rules: checks, completion, tests, what going live does, better settings."""
