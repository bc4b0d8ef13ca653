"""What tests of several rooms share: crystals, springs with known answers, programs, servers."""
