"""Display: reports as text and in notebooks."""
