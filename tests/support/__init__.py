"""Code that several tests share: servers, repositories and a whole bot."""
