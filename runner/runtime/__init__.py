"""How long a command may go on, the processes that it starts, and where it works."""
