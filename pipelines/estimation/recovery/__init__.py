"""The camera of a clip, quickly: few pixels, few mapped keyframes, all frames in one bundle adjustment."""
