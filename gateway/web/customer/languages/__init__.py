"""The words of the customer's page, a module for each language."""
