"""Pictures, figures and pages that every command shares."""
