"""What is learnt from: FER2013, its votes, its cleaning, faces that a device collected."""
