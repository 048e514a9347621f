"""Whether this machine and its logins are fit for a release, and what to do where they are not."""
