"""A node's home: how it is made, what must stay as it was, its rooms opened in their order, who is in it."""
