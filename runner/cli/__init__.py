"""The command line: parsing, and the supervised session that every command runs in."""
