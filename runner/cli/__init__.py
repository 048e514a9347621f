"""The command line: the table of commands, a module for each group of them, and supervised sessions."""
