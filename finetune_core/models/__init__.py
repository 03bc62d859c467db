"""What is made of torch: the only floor that imports it at module level; import it inside functions only."""
