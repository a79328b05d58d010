"""Files that list pictures and what is known of them."""
