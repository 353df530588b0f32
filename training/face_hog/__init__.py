"""The HOG and linear SVM face detector of the device."""
