"""Every socket that we open to the outside; what goes wrong there leaves in our own words."""
