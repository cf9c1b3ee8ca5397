"""How far an achieved camera path is from the requested one, in the numbers that papers print."""
