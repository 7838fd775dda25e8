"""What messages and articles say: the company's own words, kept in versions before those of files and the product."""
