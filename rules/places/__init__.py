"""Where things are: distances, areas, the side of a fence, and when a shop is open."""
