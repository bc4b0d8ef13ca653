"""Teaching a potential that is already good what it does not know yet."""
