"""`make real`: tries well-known projects from the package registry, and writes what came of it to
docs/compatibility.md."""
