"""What is kept, and how tasks change hands: tables, migrations, leases, answers."""
