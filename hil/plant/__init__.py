"""The booster as it is: vehicle, air, engines, legs, and the truth they make."""
