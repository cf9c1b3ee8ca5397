"""SANA-WM, a world model that is told every camera: a picture, words and a path become a video. Networks are diffusers' own."""
