"""Every verdict, kept in SQLite."""
