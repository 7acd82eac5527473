"""Every call that leaves the server goes through here."""
