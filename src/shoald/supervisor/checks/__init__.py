"""What `shoal doctor` looks at: each module examines one thing and says what is wrong and what to do."""
