"""What each part of the preparation of FER2013 is worth: the same training, one thing changed."""
