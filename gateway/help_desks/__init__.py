"""Help desks that the company works in already: each case has a ticket there, kept in step both ways."""
