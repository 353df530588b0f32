"""The model that finds five points of a face: pictures, teacher, training."""
