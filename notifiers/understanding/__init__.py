"""What a person means by what they wrote: the language, the intent, a STOP in their own words, a rating."""
