"""Rule sets in the life of an installation: files, versions, trials, reviews, suggestions, and why each is as it is."""
