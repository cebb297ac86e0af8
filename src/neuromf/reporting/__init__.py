"""Pictures and pages that every command shares."""
