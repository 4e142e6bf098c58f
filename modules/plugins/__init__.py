"""How others join in: hooks to implement, and how extensions are found."""
