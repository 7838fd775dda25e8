"""What a message says: facts and templates in the customer's language, measures and form of their channel."""
