"""What good pictures are worth: how many different parts they show."""
