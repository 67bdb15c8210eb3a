"""Reports of a run, for people and for programs. Every report is derived from the Outcomes."""
