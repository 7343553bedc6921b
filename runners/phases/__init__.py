"""The phases a runner does, each from bundle to bundle: specify, implement, verify."""
