"""The second stage of the face detectors: is this box a face?"""
