"""A WeChat that speaks HTTP: its API, its pushes and a phone; a process of its own that knows nothing of ours."""
