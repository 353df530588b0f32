"""From a frame to named faces: detector, tracker, crop, classifier, smoother."""
