"""What is known of programs that run others, or read and write what they are told: tables, and nothing that judges."""
