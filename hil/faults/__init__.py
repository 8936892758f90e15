"""What goes wrong: case files, the catalogue of faults, and one wrapper for each seam."""
