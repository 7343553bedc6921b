"""The pages: runs, what waits for somebody, repositories, signing in; with their templates and static files.

`routes.py` lists them."""
