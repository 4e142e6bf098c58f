"""How the embedded models were made, start to end. Nothing in modules/ imports this; it may import modules/."""
