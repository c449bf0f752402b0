"""Configuration: settings, their origins, and bucket policies."""
