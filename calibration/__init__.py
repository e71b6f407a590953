"""Is this engine good enough, here?"""
