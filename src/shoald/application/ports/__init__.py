"""What the use cases need from the outside, as protocols; adapters keep the promises written here."""
