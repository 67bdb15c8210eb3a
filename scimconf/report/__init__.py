"""What came of it, for people and for programs: every form is derived from the Outcomes."""
