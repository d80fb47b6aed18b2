"""The reverse of `checks`: is everything that a text asks for in its parse?"""
