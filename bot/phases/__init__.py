"""The trusted phases: prepare, publish and conclude.

They hold the forge's credentials and never run repository code."""
