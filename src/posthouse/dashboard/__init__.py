"""Pages for people, rendered here and served under /ui: the same services as the API's, in another dress."""
