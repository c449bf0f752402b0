"""Options that several commands have, and the values made from them."""
