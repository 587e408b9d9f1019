"""The always-on queries."""
