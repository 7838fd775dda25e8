"""What a customer can do on their pages, in words: coming in, settings, calls, dates, ratings; by language."""
