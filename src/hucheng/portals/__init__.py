"""To be said by the owner of this room."""
