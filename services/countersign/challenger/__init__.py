"""The web service that takes browsers through Duo, and the sweeper of what they leave behind."""
