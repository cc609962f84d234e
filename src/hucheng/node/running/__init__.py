"""Running a node: the supervisor, its processes and what they say of themselves, and what a crash left behind."""
