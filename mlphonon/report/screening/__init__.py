"""What a campaign found, as a page: distributions, elements, the crystals on top, failures."""
